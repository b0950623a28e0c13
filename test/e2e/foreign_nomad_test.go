package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// An operator of Nomad purges a member's node, drains another's, and makes a third's ineligible: nobody is replaced, and the
// members say what is the matter until it is over.
func TestOthersOperateNomad(t *testing.T) {
	t.Parallel()
	create(t, newPool("operated", 3))
	eventually(t, "operated", "the pool to settle", time.Minute, settled(3))
	nodes, uids := members(t, "operated"), vmUIDs(t, "operated")
	purged, drained, ineligible := nodes[0].Spec.NodeID, nodes[1].Spec.NodeID, nodes[2].Spec.NodeID
	before, _, err := w.Nomad.Nodes().Info(purged, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Nomad.Nodes().Purge(purged, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Nomad.Nodes().UpdateDrain(drained, &api.DrainSpec{Deadline: time.Hour}, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Nomad.Nodes().ToggleEligibility(ineligible, false, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "operated", "the members to say so", time.Minute, func(p *v1alpha1.NomadNodePool, now []v1alpha1.NomadNode) error {
		for _, n := range now[1:] {
			if c := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.NodeReady); c == nil || c.Reason != v1alpha1.ReasonIneligible {
				return fmt.Errorf("condition Ready of %s: %+v", n.Name, c)
			}
		}
		after, _, err := w.Nomad.Nodes().Info(purged, nil)
		if err == nil && (after.CreateIndex == before.CreateIndex || p.Status.ReadyReplicas != 1) {
			err = fmt.Errorf("%d are ready, and the purged node was made at %d, before %d", p.Status.ReadyReplicas, after.CreateIndex, before.CreateIndex)
		}
		return err
	})
	rests(t, "operated", 2*time.Second)
	for _, id := range []string{drained, ineligible} {
		if _, err := w.Nomad.Nodes().ToggleEligibility(id, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "operated", "the pool to be whole again", time.Minute, both(settled(3), sameVMs(t, nodes, uids)))
}
