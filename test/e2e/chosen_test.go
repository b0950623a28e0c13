package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Each strategy lets another member go. When replicas rise again it is the youngest drain that has its drain canceled,
// and while more are missing than drain, all their drains are canceled before the rest is made. What ran on them runs
// on.
func TestChosenByStrategyAndCanceled(t *testing.T) {
	t.Parallel()
	create(t, newPool("choose", 4))
	eventually(t, "choose", "the pool to settle", time.Minute, allReady(4))
	all := byAge(t, "choose")
	oldest, idle, newest := all[0], all[2], all[3]
	work := map[string]string{}
	for i, n := range all {
		job := busy(t, n, []int{3, 4, 1, 2}[i]) // the last but one is the least busy
		for id, state := range allocationStates(t, job) {
			work[id] = state
		}
	}

	want := map[string]string{all[0].Name: "", all[1].Name: "", all[2].Name: "", all[3].Name: ""}
	for i, c := range []struct {
		strategy v1alpha1.ScaleInStrategy
		leaves   v1alpha1.NomadNode
	}{{v1alpha1.LeastBusy, idle}, {v1alpha1.NewestCreateIndex, newest}, {v1alpha1.OldestCreateIndex, oldest}} {
		change(t, "choose", strategy(c.strategy))
		if err := scale(t, "choose", int32(3-i)); err != nil {
			t.Fatal(err)
		}
		want[c.leaves.Name] = string(v1alpha1.DrainScaleIn)
		eventually(t, "choose", "the choice of "+string(c.strategy), 30*time.Second,
			both(are(want), nomadStatus("draining", i+1)))
		reported(t, "choose", "MemberDraining", c.leaves.Name)
		eventually(t, "choose", "a second to pass", 5*time.Second, longAgo(c.leaves.Name, time.Second))
	}
	eventually(t, "choose", "the drain to name what it waits for", 15*time.Second, waitsFor(t, idle))

	made := nextOrdinal(t, "choose")
	if err := scale(t, "choose", 2); err != nil {
		t.Fatal(err)
	}
	want[oldest.Name] = "" // was asked to leave last
	eventually(t, "choose", "the youngest drain to be called back", 30*time.Second,
		both(are(want), nomadStatus("ready", 2)))
	reported(t, "choose", "MemberDrainCanceled", oldest.Name)
	reported(t, "choose", "DrainCanceled", oldest.Spec.NodeID)
	stays(t, "choose", "the others drain", time.Second, both(are(want), nomadStatus("draining", 2)))

	if err := scale(t, "choose", 5); err != nil {
		t.Fatal(err)
	}
	eventually(t, "choose", "all to be called back, and another one", time.Minute, both(allReady(5), requested("", 5)))
	reported(t, "choose", "MemberDrainCanceled", idle.Name)
	reported(t, "choose", "MemberDrainCanceled", newest.Name)
	if got := nextOrdinal(t, "choose") - made; got != 1 {
		t.Errorf("%d members were made, not 1", got)
	}
	for _, n := range all {
		for id, state := range allocationStates(t, jobOn(n)) {
			if work[id] != state {
				t.Errorf("allocation %s is %s, not %s", id, state, work[id])
			}
		}
	}
	onlyMembersLeft(t, "choose")
}

// A member on which only a system job runs isn't empty, and leaves nevertheless if system jobs don't count. A busy
// one never leaves.
func TestChosenIfEmpty(t *testing.T) {
	t.Parallel()
	create(t, newPool("empty", 2, strategy(v1alpha1.Empty)))
	eventually(t, "empty", "the pool to settle", time.Minute, allReady(2))
	all := byAge(t, "empty")
	run(t, api.NewSystemJob("empty-system", "empty-system", "global", 50), "empty", 2, forever)
	busy(t, all[1], 1)
	noneIsEmpty := both(reports(v1alpha1.PoolScalingIn, v1alpha1.ReasonWaitingForAllocations, "Too few members are empty"),
		requested(v1alpha1.DrainScaleIn, 0))
	if err := scale(t, "empty", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "empty", "the pool to say that nobody is empty", 30*time.Second, noneIsEmpty)
	stays(t, "empty", "nobody leaves", time.Second, noneIsEmpty)

	change(t, "empty", strategy(v1alpha1.EmptyIgnoreSystem))
	eventually(t, "empty", "the member with the system job alone to leave", time.Minute,
		both(without(all[0].Name), allReady(1)))
	reported(t, "empty", "MemberDraining", all[0].Name)
	if stopped := noneLost(t, "empty-system"); stopped != 1 {
		t.Errorf("Nomad stopped %d allocations of the system job, not 1", stopped)
	}
	if err := scale(t, "empty", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "empty", "the pool to say that nobody is empty", 30*time.Second, noneIsEmpty)
	running(t, jobOn(all[1]), 1)
}

// Before any strategy is asked, those go that an operator names, that have never joined, and that are of an older
// template; and never one that an operator protects. By the strategy alone it would be another one each time.
func TestChosenBeforeTheStrategyIsAsked(t *testing.T) {
	t.Parallel()
	create(t,
		newPool("first", 3, strategy(v1alpha1.NewestCreateIndex), ofGeneration("first"), func(p *v1alpha1.NomadNodePool) {
			p.Spec.Rollout.Type = v1alpha1.OnDelete
		}))
	eventually(t, "first", "the pool to settle", time.Minute, allReady(3))
	all := byAge(t, "first")
	leaves := func(why string, replicas int, n v1alpha1.NomadNode) {
		t.Helper()
		if err := scale(t, "first", int32(replicas)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "first", why+" to leave", time.Minute, both(without(n.Name), allReady(replicas)))
		reported(t, "first", "MemberDraining", n.Name)
	}
	annotate(t, all[2], v1alpha1.ProtectAnnotation, `""`)
	annotate(t, all[0], v1alpha1.DeleteNextAnnotation, `""`)
	leaves("the oldest, which is named,", 2, all[0])
	leaves("the other one, as the newest is protected,", 1, all[1])

	lift := w.Hypervisor.GuestNeverJoins(newGuests(t, "first"))
	t.Cleanup(lift)
	annotate(t, all[2], v1alpha1.ProtectAnnotation, "null")
	if err := scale(t, "first", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "first", "a member that doesn't join", time.Minute, ofPhase(v1alpha1.NodeJoining, 1))
	leaves("the member that never joined", 1, newestOf(t, "first"))
	lift()

	change(t, "first", ofGeneration("second"))
	if err := scale(t, "first", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "first", "a member of the present template", time.Minute, allReady(2))
	leaves("the member of the older template", 1, all[2])
	onlyMembersLeft(t, "first")
}

func strategy(s v1alpha1.ScaleInStrategy) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Strategy = s }
}

// byAge are the members of a pool in the order in which Nomad got to know them.
func byAge(t *testing.T, pool string) []v1alpha1.NomadNode {
	t.Helper()
	nodes, index := members(t, pool), map[string]uint64{}
	for _, n := range nodes {
		found, _, err := w.Nomad.Nodes().Info(n.Spec.NodeID, nil)
		if err != nil {
			t.Fatal(err)
		}
		index[n.Name] = found.CreateIndex
	}
	slices.SortFunc(nodes, func(a, b v1alpha1.NomadNode) int { return cmp.Compare(index[a.Name], index[b.Name]) })
	return nodes
}

// newestOf is the member of a pool that was made last.
func newestOf(t *testing.T, pool string) v1alpha1.NomadNode {
	t.Helper()
	return slices.MaxFunc(members(t, pool), func(a, b v1alpha1.NomadNode) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
}

// busy gives a member allocations of its own, which end when they are told to.
func busy(t *testing.T, n v1alpha1.NomadNode, count int) (job string) {
	t.Helper()
	j := api.NewBatchJob(jobOn(n), jobOn(n), "global", 50).Constrain(api.NewConstraint("${node.unique.name}", "=", n.Name))
	run(t, j, n.Spec.PoolName, count, forever)
	return jobOn(n)
}

func jobOn(n v1alpha1.NomadNode) string { return "work-on-" + n.Name }

// ofPhase is satisfied when n members are in a phase.
func ofPhase(phase v1alpha1.NodePhase, n int) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		got := map[v1alpha1.NodePhase]int{}
		for _, m := range nodes {
			got[m.Status.Phase]++
		}
		if got[phase] != n {
			return fmt.Errorf("the members are %v", got)
		}
		return nil
	}
}

// longAgo is satisfied when a member's drain request is that old: times are kept in seconds.
func longAgo(name string, d time.Duration) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		for _, n := range nodes {
			if n.Name == name && n.Spec.Drain != nil && time.Since(n.Spec.Drain.RequestTime.Time) >= d {
				return nil
			}
		}
		return errNotYet
	}
}

// waitsFor is satisfied when a member that drains names the only allocation that is left on it: its job, which one it
// is, and since when it runs.
func waitsFor(t *testing.T, n v1alpha1.NomadNode) check {
	t.Helper()
	a := allocations(t, jobOn(n))[0]
	name := fmt.Sprintf("%s.sleep[0] (%s), running, placed %s", jobOn(n), strings.Split(a.ID, "-")[0],
		time.Unix(0, a.CreateTime).UTC().Format(time.RFC3339))
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		for _, m := range nodes {
			if m.Name != n.Name {
				continue
			}
			c, st := memberCondition(m, v1alpha1.NodeDrainCompleted), m.Status.Nomad
			if c.Reason == v1alpha1.ReasonWaitingForAllocations && c.Message == "Waiting for "+name+"." &&
				slices.Equal(st.Blocking, []string{name}) &&
				*st.Allocations == 1 {
				return nil
			}
			return fmt.Errorf("not %q: Drained is %s: %s; blocking %q", name, c.Reason, c.Message, st.Blocking)
		}
		return errNotYet
	}
}
