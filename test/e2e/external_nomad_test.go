package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// An operator of Nomad purges a member's node, drains another's, makes a third's ineligible, and gives a fourth's
// another name: nobody is replaced, and the members say what is the matter until it is over.
func TestOthersOperateNomad(t *testing.T) {
	t.Parallel()
	create(t, newPool("operated", 4))
	eventually(t, "operated", "the pool to settle", time.Minute, allReady(4))
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
	rename(t, nodes[3], "renamed")
	eventually(t, "operated", "the members to say so", time.Minute,
		func(p *v1alpha1.NomadNodePool, now []v1alpha1.NomadNode) error {
			for _, n := range now[1:3] {
				if c := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.NodeReady); c == nil ||
					c.Reason != v1alpha1.ReasonIneligible {
					return fmt.Errorf("condition Ready of %s: %+v", n.Name, c)
				}
			}
			after, _, err := w.Nomad.Nodes().Info(purged, nil)
			if err == nil && (after.CreateIndex == before.CreateIndex || p.Status.ReadyReplicas != 2) {
				err = fmt.Errorf("%d are ready, and the purged node was made at %d, before %d", p.Status.ReadyReplicas,
					after.CreateIndex, before.CreateIndex)
			}
			return err
		})
	rests(t, "operated", 2*time.Second)
	for _, id := range []string{drained, ineligible} {
		if _, err := w.Nomad.Nodes().ToggleEligibility(id, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "operated", "the pool to be whole again", time.Minute, both(allReady(4), sameVMs(t, nodes, uids)))
}

// configure adds to the configuration of a member's Nomad client, as root in its guest could, and starts it again.
func configure(t *testing.T, n v1alpha1.NomadNode, text string) {
	t.Helper()
	file := filepath.Join(w.Dir, "guests", "disks", n.Namespace, n.Status.Claims[0], "root", "etc", "nomad.d",
		"operator.hcl")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.Hypervisor.KillGuest(client.ObjectKeyFromObject(&n)); err != nil {
		t.Fatal(err)
	}
}

// rename gives a member's Nomad client another name than its host's, and starts it again.
func rename(t *testing.T, n v1alpha1.NomadNode, name string) {
	t.Helper()
	configure(t, n, fmt.Sprintf("name = %q\n", name))
	eventually(t, n.Spec.PoolName, "the node to have its new name", time.Minute,
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			found, _, err := w.Nomad.Nodes().Info(n.Spec.NodeID, nil)
			if err == nil && (found.Name != name || found.Status != api.NodeStatusReady) {
				err = fmt.Errorf("it is called %s and is %s", found.Name, found.Status)
			}
			return err
		})
}
