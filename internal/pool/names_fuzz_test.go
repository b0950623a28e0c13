package pool_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// longestPool is how long a pool's name may be (api/v1alpha1, NomadNodePool).
const longestPool = 40

// Of every pool's name, disk's name and UID that the API server accepts, names follow that it accepts, too, and that no
// other member has.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"batch", "build-farm", "a", strings.Repeat("a", longestPool), "x-1", "no.dots", "Upper", ""} {
		f.Add(name, "7f0c1d0e-2f6b-4c61-9d5e-0c6a1f3f7b11", "root", "6f1c02d4-8a55-4a0e-9d3c-51b2f3a4c5d6", int64(0), int64(1))
	}
	f.Add("batch", "", strings.Repeat("d", 15), "ffffffff", int64(14348906), int64(14348905))
	f.Fuzz(func(t *testing.T, poolName, poolUID, disk, nodeID string, a, b int64) {
		if len(poolName) > longestPool || len(validation.IsDNS1123Label(poolName)) > 0 || len(disk) > 15 ||
			len(validation.IsDNS1123Label(disk)) > 0 || len(validation.IsDNS1123Label(nodeID)) > 0 || len(nodeID) > 36 ||
			a < 0 || b < 0 || a >= names || b >= names {
			return
		}
		name := pool.MemberName(poolName, poolUID, a)
		if (name == pool.MemberName(poolName, poolUID, b)) != (a == b) {
			t.Errorf("members %d and %d: %s", a, b, name)
		}
		if wrong := validation.IsDNS1123Label(name); len(wrong) > 0 {
			t.Errorf("a guest can't be called %q: %v", name, wrong)
		}
		m := blueprint.Member{Name: name, NodeID: nodeID}
		m.Template.Disks = []v1alpha1.Disk{{Name: disk}, {Name: disk + "x"}}
		claims := blueprint.ClaimNames(m)
		for _, made := range append(claims, blueprint.SecretName(m)) {
			if wrong := validation.IsDNS1123Subdomain(made); len(wrong) > 0 {
				t.Errorf("no object can be called %q: %v", made, wrong)
			}
		}
		if claims[0] == claims[1] {
			t.Errorf("two disks have the claim %s", claims[0])
		}
	})
}
