package e2e

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A controller is upgraded in the middle of a drain and of a join: its successor takes both to their end and replaces
// nobody.
func TestOthersUpgradeTheController(t *testing.T) {
	create(t, newPool("older", 2))
	eventually(t, "older", "the pool to settle", time.Minute, allReady(2))
	batch(t, "older", "older-batch", 2, forever)
	lift := w.Hypervisor.GuestNeverJoins(newGuests(t, "older-new"))
	create(t, newPool("older-new", 1))
	eventually(t, "older-new", "a guest that boots", time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) == 1 && nodes[0].Status.Phase == v1alpha1.NodeJoining {
				return nil
			}
			return errNotYet
		})
	if err := scale(t, "older", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "older", "a member to drain", time.Minute, nomadStatus("draining", 1))
	draining, joining := members(t, "older"), members(t, "older-new")
	uids, newUIDs := vmUIDs(t, "older"), vmUIDs(t, "older-new")

	if err := controller.Stop(); err != nil {
		t.Fatal(err)
	}
	lift()
	if err := controller.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stays(t, "older", "the drain to go on", 3*time.Second, nomadStatus("draining", 1))
	if err := scale(t, "older", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "older", "the member to be called back", time.Minute, both(allReady(2), sameVMs(t, draining, uids)))
	// The guest that may not join starts no client later either, until it is booted again.
	if err := w.Hypervisor.KillGuest(client.ObjectKeyFromObject(&joining[0])); err != nil {
		t.Fatal(err)
	}
	eventually(t, "older-new", "the member to join", time.Minute, both(allReady(1), sameVMs(t, joining, newUIDs)))
}
