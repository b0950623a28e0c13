package pool_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestScaleOutStartsWithOne(t *testing.T) {
	creating := v1alpha1.ReasonCreating
	runPlans(t, []planCase{
		{name: "as wanted", s: snapshot(2, some(2, "a")...)},
		{name: "one from nothing", s: snapshot(1), create: 1},
		{name: "many from nothing: one first", s: snapshot(100), create: 1, scaleOutBlocked: creating},
		{name: "the first isn't accepted yet", s: snapshot(100, member("a", pending)), scaleOutBlocked: creating},
		{name: "the first of two isn't accepted yet", s: snapshot(2, member("a", pending)), scaleOutBlocked: creating},
		{name: "one accepted, ten more", s: snapshot(100, member("a", joining, young)), create: 10, scaleOutBlocked: creating},
		{name: "one accepted, all others", s: snapshot(11, member("a", joining, young)), create: 10},
		{name: "some of them are on their way", s: snapshot(100, all(some(3, "a", young), some(8, "b", pending))...),
			create: 22, scaleOutBlocked: creating},
		{name: "as many on their way as may be", s: snapshot(100, all(some(1, "a", young), some(10, "b", pending))...),
			scaleOutBlocked: creating},
		{name: "accepted ten minutes ago: one first", s: snapshot(100, some(8, "a", age(10*time.Minute))...), create: 1,
			scaleOutBlocked: creating},
		{name: "accepted long ago: one first", s: snapshot(100, some(8, "a")...), create: 1, scaleOutBlocked: creating},
		{name: "those of an older template prove nothing", s: snapshot(20, some(16, "a", outdated)...), create: 1,
			scaleOutBlocked: creating},
		{name: "an older one on its way doesn't block", s: snapshot(3, member("a"), member("b", outdated, pending)),
			create: 1},
		{name: "leaving ones don't count", s: snapshot(2, all(some(2, "a"), some(5, "b", leaving(time.Minute)))...)},
		{name: "leaving ones are replaced", s: snapshot(3, all(some(2, "a"), some(5, "b", leaving(time.Minute)))...),
			create: 1},
	})
}

func TestScaleOutCancelsDrainsFirstAndTheYoungestFirst(t *testing.T) {
	runPlans(t, []planCase{
		{name: "reclaimed instead of made", s: snapshot(2, member("a"), member("b", reclaimable(time.Minute))),
			cancel: []string{"b"}},
		{
			name: "youngest drain first",
			s: snapshot(3, member("a"), member("old", reclaimable(time.Hour)), member("new", reclaimable(time.Second)),
				member("mid", reclaimable(time.Minute))),
			cancel: []string{"new", "mid"},
		},
		{name: "then by name", s: snapshot(1, member("c", reclaimable(time.Minute)), member("b", reclaimable(time.Minute))),
			cancel: []string{"b"}},
		{name: "and make the rest",
			s:      snapshot(3, member("a"), member("b", reclaimable(time.Minute)), member("c", leaving(time.Minute))),
			cancel: []string{"b"}, create: 1},
		{name: "what can't be taken back isn't", s: snapshot(1, member("a", leaving(time.Minute))), create: 1},
		{name: "an outdated one is capacity too", s: snapshot(1, member("a", outdated, reclaimable(time.Minute))),
			cancel: []string{"a"}},
		{name: "an outdated one only if too few others come back",
			s:      snapshot(2, member("a"), member("b", reclaimable(time.Minute)), member("c", outdated, reclaimable(0))),
			cancel: []string{"b"}},
		{name: "not without Nomad, but VMs may be made", s: snapshot(1, member("a", reclaimable(time.Minute))),
			change: nomadUnknown, create: 1, wake: 15 * time.Second},
	})
}

func TestScaleOutIsBlocked(t *testing.T) {
	problems := func(s *pool.Snapshot) {
		s.Problems = []condition.Problem{{Reason: v1alpha1.ReasonImageNotFound, Message: "no image"},
			{Reason: v1alpha1.ReasonNetworkNotFound, Message: "no network"}}
	}
	runPlans(t, []planCase{
		{name: "paused", s: snapshot(3, member("a", reclaimable(time.Minute))), change: paused,
			scaleOutBlocked: v1alpha1.ReasonPaused},
		{name: "paused, as wanted", s: snapshot(1, member("a")), change: paused},
		{name: "paused in a rollout: nobody is missing", s: rolling(some(3, "a", outdated), paused)},
		{name: "nobody of a rollout's template joins: nobody is missing",
			s: rolling(some(3, "a", outdated), withJoins("---", time.Hour))},
		{name: "deleting", s: snapshot(3), change: deleting},
		{name: "deleting, with members", s: snapshot(3, member("a", reclaimable(time.Minute))), change: deleting},
		{name: "template has problems: checked again", s: snapshot(3), change: problems,
			scaleOutBlocked: v1alpha1.ReasonImageNotFound, wake: 15 * time.Second},
		{name: "problems don't block canceled drains", s: snapshot(1, member("a", reclaimable(time.Minute))),
			change: problems,
			cancel: []string{"a"}},
		{name: "problems block the rest", s: snapshot(2, member("a", reclaimable(time.Minute))), change: problems,
			cancel: []string{"a"}, scaleOutBlocked: v1alpha1.ReasonImageNotFound, wake: 15 * time.Second},
		{name: "problems of a pool that is as wanted", s: snapshot(1, member("a")), change: problems},
		{name: "a VM was refused: one refusal is enough",
			s:               snapshot(9, all(some(4, "a"), []pool.Member{member("b", refused)})...),
			scaleOutBlocked: v1alpha1.ReasonAdmissionDenied},
		{name: "Nomad gives no token: one that waits is enough",
			s:               snapshot(9, all(some(4, "a"), some(1, "b", lacks(v1alpha1.ReasonIntroductionToken)))...),
			scaleOutBlocked: v1alpha1.ReasonIntroductionToken},
		{name: "making a VM fails", s: snapshot(9, some(1, "b", lacks(v1alpha1.ReasonCreateFailed))...),
			scaleOutBlocked: v1alpha1.ReasonCreateFailed},
		{name: "no host has capacity", s: snapshot(9, all(some(4, "a"), some(1, "b", noCapacity))...),
			scaleOutBlocked: v1alpha1.ReasonVMUnschedulable},
		{name: "a name that is taken is the matter of one, even if it stays",
			s: snapshot(3, member("a"), member("b", lacks(v1alpha1.ReasonVMNameTaken), protected)), create: 1},
		{name: "a VM of the former template was refused", s: snapshot(3, member("a"), member("b", refused, outdated)),
			create: 1},
		{name: "Nomad unknown, as wanted", s: snapshot(1, member("a")), change: nomadUnknown, wake: 15 * time.Second},
	})
	s := snapshot(3)
	problems(&s)
	if got, want := pool.Decide(s).ScaleOutBlocked.Message, "no image | no network"; got != want {
		t.Errorf("all problems are reported: got %q, want %q", got, want)
	}
}
