package e2e

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A pool scales out and in by the scale subresource, and its deletion leaves nothing.
func TestPoolScalesAndLeavesNothing(t *testing.T) {
	t.Parallel()
	create(t, newPool("life", 1))
	eventually(t, "life", "the first member", time.Minute, allReady(1))
	for _, n := range []int32{4, 2} {
		if err := scale(t, "life", n); err != nil {
			t.Fatal(err)
		}
		eventually(t, "life", "the pool to settle", 90*time.Second, allReady(int(n)))
	}
	_, nodes, err := read(t.Context(), "life")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		found, _, err := w.Nomad.Nodes().Info(n.Spec.NodeID, nil)
		if err != nil {
			t.Fatalf("the Nomad node of %s: %v", n.Name, err)
		}
		if found.Name != n.Name || found.Meta[v1alpha1.MetaPoolUID] != n.Spec.PoolUID {
			t.Errorf("the Nomad node of %s is called %s and has the meta %v", n.Name, found.Name, found.Meta)
		}
	}
	if got := len(nomadNodes("life")); got != 2 {
		t.Errorf("Nomad has %d nodes, not 2", got)
	}
}
