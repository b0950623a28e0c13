package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// With strategy Empty a member that gets work between being chosen and being made ineligible stays; when the work is
// over a member does leave.
func TestMemberChosenAsEmptyStaysIfItGetsWork(t *testing.T) {
	t.Parallel()
	create(t, newPool("landed", 2, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Strategy = v1alpha1.Empty }))
	eventually(t, "landed", "the pool to settle", time.Minute, allReady(2))
	batch(t, "landed", "landed-batch", 2, forever)
	work := allocationStates(t, "landed-batch")
	if err := scale(t, "landed", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "landed", "the pool to have seen that nobody is empty", 30*time.Second,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if p.Status.ObservedGeneration != p.Generation {
				return errNotYet
			}
			return nobodyLeaves(nodes)
		})

	// The order that the pool writes for a member which was empty a moment before.
	chosen := members(t, "landed")[0]
	now := time.Now()
	order := v1alpha1.DrainRequest{
		ID: "11111111-0000-4000-8000-000000000001", Reason: v1alpha1.DrainScaleIn, OnlyIf: v1alpha1.Empty,
		RequestTime: metav1.NewTime(now), DeadlineTime: metav1.NewTime(now.Add(10 * time.Minute))}
	patched := chosen.DeepCopy()
	patched.Spec.Drain = &order
	if err := w.Client.Patch(t.Context(), patched, client.MergeFrom(&chosen)); err != nil {
		t.Fatal(err)
	}
	reported(t, "landed", "DrainCanceled", "landed-batch.sleep[")
	eventually(t, "landed", "the member to be back", 30*time.Second,
		both(nomadStatus("ready", 2), func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			return nobodyLeaves(nodes)
		}))
	rests(t, "landed", 2*time.Second)
	for id, state := range allocationStates(t, "landed-batch") {
		if work[id] != state {
			t.Errorf("allocation %s is %s, not %s", id, state, work[id])
		}
	}
	for _, n := range nomadNodes("landed") {
		if n.LastDrain != nil || n.SchedulingEligibility != "eligible" {
			t.Errorf("Nomad node %s is %s, its last drain %+v", n.Name, n.SchedulingEligibility, n.LastDrain)
		}
	}

	if _, _, err := w.Nomad.Jobs().Deregister("landed-batch", false, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "landed", "an empty member to leave", time.Minute, allReady(1))
	onlyMembersLeft(t, "landed")
}

// What somebody changes of onTimeout during a drain reaches Nomad: to Retain, nothing is stopped at the deadline; to
// Force, Nomad stops the tasks before the guest goes.
func TestChangeOfOnTimeoutReachesADrain(t *testing.T) {
	t.Parallel()
	const deadline = 30 * time.Second // the change has to arrive before it, on a busy machine as well
	create(t, newPool("mind", 2, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = deadline }))
	eventually(t, "mind", "the pool to settle", time.Minute, allReady(2))
	batch(t, "mind", "mind-batch", 2, forever)
	if err := scale(t, "mind", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "mind", "the drain to have its deadline in Nomad", 10*time.Second, drainEnds(true))
	onTimeout(t, "mind", v1alpha1.DrainRetain)
	eventually(t, "mind", "the drain to have none any more", 10*time.Second, drainEnds(false))
	eventually(t, "mind", "the deadline to pass", deadline+10*time.Second,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, n := range nodes {
				if memberCondition(n, v1alpha1.NodeDrainCompleted).Reason == v1alpha1.ReasonRetained {
					return nil
				}
			}
			return errNotYet
		})
	stays(t, "mind", "all allocations run", 8*time.Second, func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		return allRun("mind-batch", 2)
	})
	onTimeout(t, "mind", v1alpha1.DrainForce)
	eventually(t, "mind", "the member to go", time.Minute, allReady(1))
	if stopped := noneLost(t, "mind-batch"); stopped != 1 {
		t.Errorf("Nomad stopped %d allocations, not 1", stopped)
	}
	onlyMembersLeft(t, "mind")
}

// System jobs that a drain was to ignore are stopped by Nomad as well once they are to count, though it has called
// the drain complete.
func TestChangeOfIgnoreSystemJobsReachesADrain(t *testing.T) {
	t.Parallel()
	ignore := func(yes bool) func(*v1alpha1.NomadNodePool) {
		return func(p *v1alpha1.NomadNodePool) {
			p.Spec.ScaleIn.Drain.IgnoreSystemJobs, p.Spec.ScaleIn.Drain.OnTimeout = yes, v1alpha1.DrainRetain
		}
	}
	create(t, newPool("system", 2, ignore(true)))
	eventually(t, "system", "the pool to settle", time.Minute, allReady(2))
	run(t, api.NewSystemJob("system-each", "system-each", "global", 50), "system", 2, forever)
	batch(t, "system", "system-batch", 2, forever)
	if err := scale(t, "system", 1); err != nil {
		t.Fatal(err)
	}
	ignored := func(want bool) check {
		return drainIs(func(s *api.DrainStrategy) bool { return s.IgnoreSystemJobs == want })
	}
	eventually(t, "system", "system jobs to be ignored", 10*time.Second, ignored(true))
	change(t, "system", ignore(false))
	eventually(t, "system", "system jobs to count", 10*time.Second, ignored(false))
	change(t, "system", ignore(true))
	eventually(t, "system", "system jobs to be ignored again", 10*time.Second, ignored(true))
	change(t, "system", ignore(false))
	// A member goes by its own copy of the policy, which the pool's controller writes: what ended before that was ended
	// under the old one.
	eventually(t, "system", "the member to have the policy", 10*time.Second,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, n := range nodes {
				if n.Spec.ScaleIn.Drain.IgnoreSystemJobs {
					return fmt.Errorf("%s ignores system jobs still", n.Name)
				}
			}
			return nil
		})
	if _, _, err := w.Nomad.Jobs().Deregister("system-batch", false, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "system", "the member to go", time.Minute, allReady(1))
	if stopped := noneLost(t, "system-each"); stopped != 1 {
		t.Errorf("Nomad stopped %d allocations, not 1", stopped)
	}
	onlyMembersLeft(t, "system")
}

func onTimeout(t *testing.T, pool string, a v1alpha1.DrainTimeoutAction) {
	t.Helper()
	change(t, pool, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.OnTimeout = a })
}

// drainEnds is satisfied when one of a pool's nodes drains in Nomad, with or without a deadline.
func drainEnds(want bool) check {
	return drainIs(func(s *api.DrainStrategy) bool { return !s.ForceDeadline.IsZero() == want })
}

// drainIs is satisfied when one of a pool's nodes drains in Nomad as is wanted.
func drainIs(wanted func(*api.DrainStrategy) bool) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		for _, n := range nodes {
			node, _, err := w.Nomad.Nodes().Info(n.Spec.NodeID, nil)
			if err != nil {
				return err
			}
			if node.DrainStrategy != nil && wanted(node.DrainStrategy) {
				return nil
			}
		}
		return errNotYet
	}
}
