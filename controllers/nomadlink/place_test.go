package nomadlink

import (
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func TestMisplaced(t *testing.T) {
	asks := v1alpha1.NomadClient{NodePool: "gpu", Datacenter: "east", NodeClass: "big"}
	for name, c := range map[string]struct {
		client v1alpha1.NomadClient
		node   nomad.Node
		want   string
	}{
		"by default":           {v1alpha1.NomadClient{}, nomad.Node{NodePool: "default", Datacenter: "dc1", NodeClass: "p"}, ""},
		"as asked":             {asks, nomad.Node{NodePool: "gpu", Datacenter: "east", NodeClass: "big"}, ""},
		"not known":            {asks, nomad.Node{}, ""},
		"another node pool":    {asks, nomad.Node{NodePool: "prod", Datacenter: "east", NodeClass: "big"}, `node pool "prod", not "gpu"`},
		"not the default pool": {v1alpha1.NomadClient{}, nomad.Node{NodePool: "prod", Datacenter: "dc1", NodeClass: "p"}, `node pool "prod", not "default"`},
		"all": {asks, nomad.Node{NodePool: "a", Datacenter: "b"},
			`node pool "a", not "gpu", datacenter "b", not "east", node class "", not "big"`},
	} {
		n := &v1alpha1.NomadNode{Spec: v1alpha1.NomadNodeSpec{PoolName: "p", Nomad: v1alpha1.NomadSpec{NomadClient: c.client}}}
		if got := NodeOf(n, c.node).Misplaced; got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	long := nomad.Node{NodePool: strings.Repeat("x", 100_000)}
	if got := misplaced(&v1alpha1.NomadNode{}, long); len(got) > 1000 {
		t.Errorf("it is told in %d bytes", len(got))
	}
}
