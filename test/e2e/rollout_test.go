package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A new template is rolled out under load: a service keeps all its allocations but the one that moves, and work that
// comes to its own end is let come to it.
func TestRolloutUnderLoad(t *testing.T) {
	t.Parallel()
	const size = 6
	create(t, newPool("roll", size, ofGeneration("first")))
	eventually(t, "roll", "the pool to settle", 2*time.Minute, allReady(size))
	old := members(t, "roll")
	service(t, "roll", "roll-service", size)
	run(t, api.NewSystemJob("roll-system", "roll-system", "global", 50), "roll", size, forever)
	ending := []string{"roll-sysbatch"}
	run(t, api.NewSysbatchJob("roll-sysbatch", "roll-sysbatch", "global", 50), "roll", size, 5*time.Second)

	watch := watchRollout("roll", "roll-service")
	change(t, "roll", ofGeneration("second"))
	next := time.Now()
	eventually(t, "roll", "the rollout to end", 5*time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if time.Now().After(next) {
				next = time.Now().Add(4 * time.Second)
				job := fmt.Sprintf("roll-batch-%d", len(ending))
				ending = append(ending, job)
				register(t, api.NewBatchJob(job, job, "global", 50), "roll", 2, 6*time.Second)
			}
			return rolledOut(size)(p, nodes)
		})
	watch.stop(t)
	if watch.fewest < size-1 {
		t.Errorf("only %d allocations of the service ran at a time", watch.fewest)
	}
	if watch.most > size+1 {
		t.Errorf("%d members were wanted at a time", watch.most)
	}
	if want := []string{v1alpha1.ReasonAsExpected, v1alpha1.ReasonRollingOut, v1alpha1.ReasonAsExpected}; !slices.Equal(
		watch.upToDate, want) {
		t.Errorf("UpToDate was %v, not %v", watch.upToDate, want)
	}
	for _, job := range ending {
		cameToTheirEnd(t, "roll", job)
	}
	if moved := noneLost(t, "roll-service"); moved < size {
		t.Errorf("only %d allocations of the service were moved", moved)
	}
	checkReplaced(t, "roll", old)
}

// checkReplaced checks that nothing is left of members that a rollout has replaced, and what was said of it.
func checkReplaced(t *testing.T, pool string, old []v1alpha1.NomadNode) {
	t.Helper()
	for _, n := range old {
		eventually(t, pool, "a member to be gone", 15*time.Second, without(n.Name))
		reported(t, pool, "MemberOutdated", n.Name)
	}
	onlyMembersLeft(t, pool)
	p, nodes, err := read(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, vm := range vms(t, pool) {
		if got := vm.Labels[v1alpha1.RevisionLabel]; got != p.Status.Revision {
			t.Errorf("VM %s carries revision %s, not %s", vm.Name, got, p.Status.Revision)
		}
	}
	for _, n := range nodes {
		found, _, err := w.Nomad.Nodes().Info(n.Spec.NodeID, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := found.Meta[generation]; got != "second" {
			t.Errorf("Nomad node %s is of the %s generation", found.Name, got)
		}
	}
}

// cameToTheirEnd checks that each task of a job that ends by itself did, at its first start.
func cameToTheirEnd(t *testing.T, pool, job string) {
	t.Helper()
	eventually(t, pool, "the end of "+job, time.Minute, func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		for id, state := range allocationStates(t, job) {
			if state == "running/run" || state == "pending/run" {
				return fmt.Errorf("allocation %s is %s", id, state)
			}
		}
		return nil
	})
	for _, a := range allocations(t, job) {
		if a.ClientStatus != api.AllocClientStatusComplete || a.NextAllocation != "" {
			t.Errorf("allocation %s of %s is %s (%s, %s)", a.ID, job, a.ClientStatus, a.ClientDescription, a.DesiredDescription)
		}
		for _, state := range a.TaskStates {
			for _, e := range state.Events {
				if e.Type == api.TaskKilling || e.Type == api.TaskRestarting {
					t.Errorf("a task of allocation %s of %s was interrupted: %s", a.ID, job, e.DisplayMessage)
				}
			}
		}
	}
}

// A rollout that is paused holds, and one whose template is put back costs nobody that is still there.
func TestRolloutHoldsAndTurnsBack(t *testing.T) {
	t.Parallel()
	create(t, newPool("turn", 3, ofGeneration("first"), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Rollout.MinReadySeconds = 15 // so that the rollout isn't over before it can be held
	}))
	eventually(t, "turn", "the pool to settle", time.Minute, allReady(3))
	batch(t, "turn", "turn-batch", 3, forever) // so that who drains stays
	old, work, uids := orders(members(t, "turn")), allocationStates(t, "turn-batch"), vmUIDs(t, "turn")

	change(t, "turn", ofGeneration("second"))
	eventually(t, "turn", "a member to drain in Nomad", time.Minute, nomadStatus("draining", 1))
	change(t, "turn", func(p *v1alpha1.NomadNodePool) { p.Spec.Paused = true })
	eventually(t, "turn", "the rollout to be held", 30*time.Second, reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonPaused))
	rests(t, "turn", 4*time.Second)

	change(t, "turn", func(p *v1alpha1.NomadNodePool) {
		p.Spec.Paused = false
		ofGeneration("first")(p)
	})
	eventually(t, "turn", "the members of before", time.Minute, both(rolledOut(3), are(old)))
	if got := vmUIDs(t, "turn"); !maps.Equal(got, uids) {
		t.Errorf("the VMs are %v, not %v", got, uids)
	}
	if got := allocationStates(t, "turn-batch"); !maps.Equal(got, work) {
		t.Errorf("the allocations are %v, not %v", got, work)
	}
	for _, n := range nomadNodes("turn") {
		if n.Drain || n.SchedulingEligibility != api.NodeSchedulingEligible {
			t.Errorf("Nomad node %s: %s, draining %v", n.Name, n.SchedulingEligibility, n.Drain)
		}
	}
	reported(t, "turn", "MemberDrainCanceled", "")
	onlyMembersLeft(t, "turn")
}

// With OnDelete members stay as they are until their NomadNodes are deleted; then those that take their places are of
// the present template.
func TestRolloutOnDelete(t *testing.T) {
	t.Parallel()
	create(t,
		newPool("later", 1, ofGeneration("first"),
			func(p *v1alpha1.NomadNodePool) { p.Spec.Rollout.Type = v1alpha1.OnDelete }))
	eventually(t, "later", "the pool to settle", time.Minute, allReady(1))
	change(t, "later", ofGeneration("second"))
	eventually(t, "later", "the pool to say that members stay", 10*time.Second,
		reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonOnDelete))
	rests(t, "later", 3*time.Second)
	old := members(t, "later")
	if err := w.Client.Delete(t.Context(), &old[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "later", "a member of the present template", time.Minute, both(rolledOut(1), without(old[0].Name)))
}
