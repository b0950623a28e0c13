package e2e

import (
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A cluster without room for a VM is nothing that a guest or its template could be blamed for: the pool says so in
// the words of the scheduler, counts no failure to join, replaces nobody, and goes on when there is capacity.
func TestBlockedByCapacity(t *testing.T) {
	t.Parallel()
	const (
		words = "0/3 nodes are available: 3 Insufficient memory."
		// toJoin passes while the pool is watched. It is asked for once the scheduler has found no host: until then it is
		// this machine that may be busy.
		toJoin = 30 * time.Second
	)
	create(t, newPool("roomless", 1, joinWithin(patient)))
	eventually(t, "roomless", "the pool to settle", time.Minute, allReady(1))
	lift := w.Hypervisor.NoCapacityFor(newGuests(t, "roomless"))
	t.Cleanup(lift)
	change(t, "roomless", func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](2) })
	eventually(t, "roomless", "the member to say that there is no room", 3*time.Minute,
		memberReports(1, v1alpha1.NodeVMReady, v1alpha1.ReasonVMUnschedulable, words))
	change(t, "roomless", joinWithin(toJoin))
	eventually(t, "roomless", "the pool to say so", time.Minute,
		reports(v1alpha1.PoolReady, v1alpha1.ReasonVMUnschedulable, words))
	rests(t, "roomless", 35*time.Second) // and its time to join passes
	p, _, err := read(t.Context(), "roomless")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Status.Joins.Results {
		if !r.Joined {
			t.Errorf("%s is taken for one that didn't join", r.Member)
		}
	}
	change(t, "roomless",
		joinWithin(patient)) // the time to join begins when there is capacity, and this machine may be busy
	lift()
	eventually(t, "roomless", "the pool to be whole", time.Minute,
		both(allReady(2), reports(v1alpha1.PoolJoinsHealthy, v1alpha1.ReasonAsExpected)))
	onlyMembersLeft(t, "roomless")
}
