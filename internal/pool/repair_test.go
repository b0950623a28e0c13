package pool_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func unhealthy(ago time.Duration) memberChange {
	return func(m *pool.Member) { m.Ready, m.UnhealthyTime = false, now.Add(-ago) }
}

// back was down and is ready again since.
func back(ago time.Duration) memberChange {
	return func(m *pool.Member) { m.JoinedAt, m.ReadySince = now.Add(-time.Hour), now.Add(-ago) }
}

// fresh has just joined.
func fresh(m *pool.Member) {
	m.JoinedAt, m.ReadySince = now.Add(-10*time.Second), now.Add(-9*time.Second)
}

// awayInUnknown is in another Nomad than the pool's, which can't be asked.
func awayInUnknown(m *pool.Member) { m.Elsewhere, m.NomadUnknown = true, true }

// awaySince is in another Nomad than the pool's, which could be asked again some time ago.
func awaySince(recovered time.Duration) memberChange {
	return func(m *pool.Member) { m.Elsewhere, m.NomadRecovered = true, now.Add(-recovered) }
}

func halted(m *pool.Member)        { m.Halted = true }
func stuck(m *pool.Member)         { m.Stuck = true }
func inMaintenance(m *pool.Member) { m.HostMaintenance = true }

func leavingFor(reason v1alpha1.DrainReason) memberChange {
	return func(m *pool.Member) { leaving(time.Minute)(m); m.LeavingReason = reason }
}

// tended is a pool of 5 whose rules for repair are the defaults, unless changed.
func tended(members []pool.Member, changes ...func(*pool.Snapshot)) pool.Snapshot {
	s := snapshot(5, members...)
	s.Health = v1alpha1.HealthSpec{
		UnhealthyTimeout: metav1.Duration{
			Duration: 5 * time.Minute}, MaxUnhealthy: ptr(intstr.FromString("40%")), MaxInFlight: ptr(int32(1)),
		JoinTimeout: metav1.Duration{Duration: 10 * time.Minute},
	}
	for _, c := range changes {
		c(&s)
	}
	return s
}

func TestRepair(t *testing.T) {
	const long = 10 * time.Minute
	recoveredAgo := func(d time.Duration) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) { s.NomadRecovered = now.Add(-d) }
	}
	down := func(n int, changes ...memberChange) []pool.Member {
		return all(some(5-n, "up"), some(n, "down", append([]memberChange{unhealthy(long)}, changes...)...))
	}
	// more is a pool whose scale-in to 4 waits.
	more := func(s *pool.Snapshot) {
		s.Replicas, s.LastScale, s.ScaleIn.StabilizationWindow = 4, now, window(time.Hour)
	}
	empty := func(s *pool.Snapshot) { s.Replicas, s.ScaleIn.Strategy = 4, v1alpha1.Empty }
	const nearly = 5*time.Minute - 10*time.Second
	cases := []struct {
		name              string
		s                 pool.Snapshot
		failed, unhealthy []string
		blocked           string
		wake              time.Duration
	}{
		{name: "all work", s: tended(some(5, "up"))},
		{name: "down for long", s: tended(down(1)), unhealthy: []string{"down0"}},
		{name: "back, which its own status doesn't say yet",
			s: tended(all(some(4, "up"), some(1, "down", unhealthy(time.Hour), func(m *pool.Member) { m.Ready = true })))},
		{name: "down, but not for long: an upgrade may begin", s: tended(all(some(4, "up"), some(1, "down", unhealthy(time.Minute)))),
			wake: 15 * time.Second},
		{name: "down, and its time is nearly up", s: tended(all(some(4, "up"), some(1, "down", unhealthy(nearly)))),
			wake: 10 * time.Second},
		{name: "joins, for a moment", s: tended(all(some(4, "up"), some(1, "new", joining, joinsFor(20*time.Second)))),
			wake: 40 * time.Second},
		{name: "joins slowly: an upgrade may begin", s: tended(all(some(4, "up"), some(1, "new", joining, joinsFor(time.Minute)))),
			wake: 15 * time.Second},
		{name: "joins slowly, and its time is nearly up",
			s: tended(all(some(4, "up"), some(1, "new", joining, joinsFor(10*time.Minute-10*time.Second)))), wake: 10 * time.Second},
		{name: "the Nomad that it is in can't be asked", s: tended(down(1, awayInUnknown)),
			blocked: v1alpha1.ReasonNomadUnknown},
		{name: "the Nomad that it is in has just come back", s: tended(down(1, awaySince(20*time.Second))),
			blocked: v1alpha1.ReasonNomadRecovering, wake: 40 * time.Second},
		{name: "the Nomad that it is in came back a minute ago", s: tended(down(1, awaySince(time.Minute))),
			unhealthy: []string{"down0"}},
		{name: "another is in the pool's",
			s:         tended(all(down(1)[1:], some(1, "away", unhealthy(long), awayInUnknown))),
			unhealthy: []string{"down0"}},
		{name: "two are down: one at a time", s: tended(down(2)), unhealthy: []string{"down0"}},
		{name: "two at a time", s: tended(down(2), func(s *pool.Snapshot) { s.Health.MaxInFlight = ptr(int32(2)) }),
			unhealthy: []string{"down0", "down1"}},
		{name: "one is being replaced already", s: tended(all(down(1), some(1, "out", leavingFor(v1alpha1.DrainUnhealthy)))),
			blocked: v1alpha1.ReasonRepairing},
		{name: "one that didn't join is being replaced already",
			s: tended(all(down(1), some(1, "out", leavingFor(v1alpha1.DrainJoinTimeout)))), blocked: v1alpha1.ReasonRepairing},
		{name: "one leaves for a scale-in, which is no repair",
			s: tended(all(down(1), some(1, "out", leavingFor(v1alpha1.DrainScaleIn)))), unhealthy: []string{"down0"}},
		{name: "one is being replaced already, but its VM doesn't go",
			s: tended(all(down(1), some(1, "out", leavingFor(v1alpha1.DrainUnhealthy), stuck))), unhealthy: []string{"down0"}},
		{name: "one is joining", s: tended(all(some(3, "up"), some(1, "down", unhealthy(long)), some(1, "new", joining))),
			blocked: v1alpha1.ReasonRepairing},
		{name: "one can't be made: it isn't waited for",
			s:         tended(all(some(3, "up"), some(1, "down", unhealthy(long)), some(1, "new", refused))),
			unhealthy: []string{"down0"}},
		{name: "one has no capacity: it isn't waited for",
			s:         tended(all(some(3, "up"), some(1, "down", unhealthy(long)), some(1, "new", noCapacity))),
			unhealthy: []string{"down0"}},
		{name: "more than maxUnhealthy, 2 of 5", s: tended(down(3)), blocked: v1alpha1.ReasonTooManyUnhealthy},
		{name: "two are just back: the third may follow",
			s:       tended(all(some(2, "up"), some(2, "back", back(20*time.Second)), down(1)[4:])),
			blocked: v1alpha1.ReasonTooManyUnhealthy, wake: 40 * time.Second},
		{name: "two came back one after the other: the sooner of both counts",
			s: tended(all(some(2, "up"), some(1, "back", back(20*time.Second)), some(1, "first", back(30*time.Second)),
				down(1)[4:])), blocked: v1alpha1.ReasonTooManyUnhealthy, wake: 30 * time.Second},
		{name: "two are back for long", s: tended(all(some(2, "up"), some(2, "back", back(time.Minute)), down(1)[4:])),
			unhealthy: []string{"down0"}},
		{name: "two have just joined", s: tended(all(some(2, "up"), some(2, "new", fresh), down(1)[4:])),
			unhealthy: []string{"down0"}},
		{name: "two have joined and were ready a little later",
			s: tended(all(some(2, "up"), some(2, "new", func(m *pool.Member) {
				m.JoinedAt, m.ReadySince = now.Add(-10*time.Second), now.Add(-5*time.Second)
			}), down(1)[4:])), unhealthy: []string{"down0"}},
		{name: "down for long, though its time to join would go on", s: tended(down(1, func(m *pool.Member) {
			m.JoinDeadline = now.Add(time.Hour)
		})), unhealthy: []string{"down0"}},
		{name: "without an unhealthyTimeout nobody is replaced",
			s: tended(down(1), func(s *pool.Snapshot) { s.Health.UnhealthyTimeout.Duration = 0 })},
		{name: "the sooner of two waits: a member's",
			s:    tended(all(some(3, "up"), some(1, "down", unhealthy(nearly)), some(1, "cert", given(2*time.Hour)))),
			wake: 10 * time.Second},
		{name: "the sooner of two waits: a certificate's",
			s:    tended(all(some(3, "up"), some(1, "down", unhealthy(time.Minute)), some(1, "cert", given(30*time.Minute+15*time.Second)))),
			wake: 10 * time.Second},
		{name: "a pool of one", s: func() pool.Snapshot {
			s := tended(some(1, "down", unhealthy(long)))
			s.Replicas = 1
			return s
		}(), unhealthy: []string{"down0"}},
		{name: "stopped by somebody", s: tended(down(1, halted))},
		{name: "protected", s: tended(down(1, protected))},
		{name: "its drain is being canceled", s: tended(down(1, canceling))},
		{name: "its host is in maintenance", s: tended(down(1, inMaintenance)), blocked: v1alpha1.ReasonHostMaintenance,
			wake: 15 * time.Second},
		{name: "the host of one of two is in maintenance",
			s: tended(all(down(1)[1:], some(1, "kept", unhealthy(long), inMaintenance))), unhealthy: []string{"down0"},
			wake: 15 * time.Second},
		{name: "Harvester is being upgraded", s: tended(down(1), func(s *pool.Snapshot) { s.Upgrade = &pool.Upgrade{} }),
			blocked: v1alpha1.ReasonUpgradeRunning, wake: 15 * time.Second},
		{name: "Nomad is away", s: tended(down(1), nomadUnknown), blocked: v1alpha1.ReasonNomadUnknown,
			wake: 15 * time.Second},
		{name: "Nomad is back", s: tended(down(1), recoveredAgo(20*time.Second)), blocked: v1alpha1.ReasonNomadRecovering,
			wake: 40 * time.Second},
		{name: "Nomad is back for long", s: tended(down(1), recoveredAgo(time.Minute)), unhealthy: []string{"down0"}},
		{name: "paused", s: tended(down(1), paused), blocked: v1alpha1.ReasonPaused},
		{name: "joins fail", s: tended(down(1), withJoins("---", time.Hour)), blocked: v1alpha1.ReasonJoinsFailing},
		{
			name: "at most as many as may leave",
			s: tended(all(down(1), some(1, "out", leavingFor(v1alpha1.DrainScaleIn))),
				func(s *pool.Snapshot) { s.ScaleIn.MaxConcurrent = ptr(int32(1)) }),
			blocked: v1alpha1.ReasonRepairing,
		},
		{name: "a victim takes the place of one that may leave", s: tended(all(down(2), some(1, "up5")), atMost(1)),
			blocked: v1alpha1.ReasonRepairing},
		{
			name: "whose VM doesn't go no longer leaves",
			s: tended(all(down(1), some(1, "out", leavingFor(v1alpha1.DrainScaleIn), stuck)),
				func(s *pool.Snapshot) { s.ScaleIn.MaxConcurrent = ptr(int32(1)) }),
			unhealthy: []string{"down0"},
		},
		{name: "though a scale-in waits for the stabilisation window", s: tended(down(1), more), unhealthy: []string{"down0"},
			wake: time.Hour},
		{name: "didn't join, and a scale-in waits",
			s: tended(all(some(4, "up"), some(1, "late", late)), withJoins("-", time.Hour), more), failed: []string{"late0"},
			wake: time.Hour},
		{name: "though a scale-in waits until somebody is empty", s: tended(down(1), empty), unhealthy: []string{"down0"},
			wake: 10 * time.Second},
		{name: "the victim isn't replaced as well", s: tended(down(2, func(m *pool.Member) { m.Down = true }), empty),
			unhealthy: []string{"down1"}},
		{name: "didn't join", s: tended(all(some(4, "up"), some(1, "late", late)), withJoins("-", time.Hour)),
			failed: []string{"late0"}},
		{name: "didn't join: maxUnhealthy is about those that had",
			s: tended(all(some(1, "up"), some(4, "late", late)), withJoins("-", time.Hour)), failed: []string{"late0"}},
		{name: "didn't join for lack of capacity", s: tended(all(some(4, "up"), some(1, "late", late, noCapacity)))},
		{name: "down for lack of capacity",
			s: tended(all(some(4, "up"), some(1, "down", noCapacity, func(m *pool.Member) { m.Joined = true },
				unhealthy(long))))},
		{name: "didn't join, the third", s: tended(all(some(4, "up"), some(1, "late", late)), withJoins("---", time.Hour)),
			blocked: v1alpha1.ReasonJoinsFailing},
		{name: "those that didn't join come first",
			s: tended(all(down(1)[1:], some(1, "late", late)), withJoins("-", time.Hour)), failed: []string{"late0"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := pool.Decide(c.s)
			got := fmt.Sprintf("failed %q, unhealthy %q, blocked by %q, wake %s", p.Failed, p.Unhealthy, reason(p.RepairBlocked),
				p.Wake)
			want := fmt.Sprintf("failed %q, unhealthy %q, blocked by %q, wake %s", c.failed, c.unhealthy, c.blocked, c.wake)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if c.blocked != "" && c.s.NomadKnown {
				if r := pool.Conditions(c.s, p, pool.Outcome{})[v1alpha1.PoolReady]; r.Status == metav1.ConditionTrue ||
					r.Reason != c.blocked {
					t.Errorf("Ready is %+v, want the reason %s", r, c.blocked)
				}
			}
		})
	}
}

// A member that was replaced may have gone before its successor is made: the next one waits for that as well.
func TestNextRepairWaitsForTheSuccessor(t *testing.T) {
	s := tended(all(some(3, "up"), some(1, "down", unhealthy(10*time.Minute))))
	p := pool.Decide(s)
	if p.Create != 1 || len(p.Unhealthy) > 0 || p.RepairBlocked == nil {
		t.Errorf("create %d, replaced %v, blocked by %v", p.Create, p.Unhealthy, p.RepairBlocked)
	}
}

// Hosts are observed only if it matters what Harvester does with them.
func TestHostsAreObservedIfMembersDontWork(t *testing.T) {
	full := func(m *pool.Member) { m.Blocked = blocked(v1alpha1.ReasonVMUnschedulable) }
	isReady := func(m *pool.Member) { m.Ready = true }
	short := func(s *pool.Snapshot) { s.Health.JoinTimeout.Duration = time.Minute }
	has := func(left time.Duration) memberChange { // to join
		return func(m *pool.Member) { m.JoinDeadline = now.Add(left) }
	}
	for name, c := range map[string]struct {
		s    pool.Snapshot
		want bool
	}{
		"all work":                         {tended(some(5, "up")), false},
		"one is down":                      {tended(all(some(4, "up"), some(1, "down", unhealthy(time.Hour)))), true},
		"one is down since a moment":       {tended(all(some(4, "up"), some(1, "down", unhealthy(0)))), true},
		"one is down, and halted":          {tended(all(some(4, "up"), some(1, "down", unhealthy(time.Hour), halted))), false},
		"one is down, and protected":       {tended(all(some(4, "up"), some(1, "down", unhealthy(time.Hour), protected))), false},
		"one is down for want of capacity": {tended(all(some(4, "up"), some(1, "down", unhealthy(time.Hour), full))), false},
		"one is back":                      {tended(all(some(4, "up"), some(1, "back", unhealthy(time.Hour), isReady))), false},
		"one is ineligible":                {tended(all(some(4, "up"), some(1, "held", notReady))), false},
		"one joins":                        {tended(all(some(4, "up"), some(1, "new", joining, joinsFor(59*time.Second)))), false},
		"one joins slowly":                 {tended(all(some(4, "up"), some(1, "new", joining, joinsFor(time.Minute)))), true},
		"one joins, of a short time":       {tended(all(some(4, "up"), some(1, "new", joining, has(31*time.Second))), short), false},
		"one has half of a short time":     {tended(all(some(4, "up"), some(1, "new", joining, has(30*time.Second))), short), true},
		"one joins slowly, and halted":     {tended(all(some(4, "up"), some(1, "new", joining, joinsFor(time.Hour), halted))), false},
		"one can't join for want of capacity": {tended(all(some(4, "up"), some(1, "new", joining, joinsFor(time.Hour), full))),
			false},
		"one isn't made yet":             {tended(all(some(4, "up"), some(1, "new", joining, pending, joinsFor(time.Hour)))), false},
		"one didn't join":                {tended(all(some(4, "up"), some(1, "late", late))), true},
		"one didn't join, as it halted":  {tended(all(some(4, "up"), some(1, "late", late, halted))), false},
		"one is down, of a deleted pool": {tended(some(1, "down", unhealthy(time.Hour)), deleting), false},
	} {
		if got := pool.NeedsHosts(c.s); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
