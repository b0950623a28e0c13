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

func readySince(ago time.Duration) memberChange {
	return func(m *pool.Member) { m.ReadySince = now.Add(-ago) }
}

// rolling is a pool of 3 whose template has changed; outdated members are to be replaced one at a time, each after a
// new one is ready, unless changed.
func rolling(members []pool.Member, changes ...func(*pool.Snapshot)) pool.Snapshot {
	s := snapshot(3, members...)
	s.Rollout = v1alpha1.RolloutSpec{Type: v1alpha1.RollingUpdate, MaxSurge: ptr(intstr.FromInt(1)),
		MaxUnavailable: ptr(intstr.FromInt(0))}
	s.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
	for _, c := range changes {
		c(&s)
	}
	return s
}

func budget(surge, unavailable string) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) {
		s.Rollout.MaxSurge, s.Rollout.MaxUnavailable = ptr(intstr.Parse(surge)), ptr(intstr.Parse(unavailable))
	}
}

func TestRollout(t *testing.T) {
	old := func(n int, changes ...memberChange) []pool.Member {
		return some(n, "old", append([]memberChange{outdated}, changes...)...)
	}
	fresh := func(n int, changes ...memberChange) []pool.Member { return some(n, "new", changes...) }
	minReady := func(s *pool.Snapshot) { s.Rollout.MinReadySeconds = 60 }
	cases := []struct {
		name    string
		s       pool.Snapshot
		create  int
		cancel  []string
		out     []string
		victim  []string
		blocked string
		wake    time.Duration
	}{
		{name: "up to date", s: rolling(fresh(3))},
		{name: "begins with a surge", s: rolling(old(3)), create: 1},
		{name: "waits for the new one", s: rolling(all(old(3), fresh(1, joining)))},
		{name: "one old leaves for the new one", s: rolling(all(old(3), fresh(1))), out: []string{"old0"}},
		{name: "the next is made while the old one leaves",
			s: rolling(all(old(2), fresh(1), some(1, "out", outdated, leavingFor(v1alpha1.DrainRollout)))), create: 1},
		{name: "the last old one", s: rolling(all(old(1), fresh(3))), out: []string{"old0"}},
		{name: "not ready for long enough",
			s:    rolling(all(old(3, readySince(time.Hour)), fresh(1, readySince(20*time.Second))), minReady),
			wake: 40 * time.Second},
		{name: "ready for long enough",
			s: rolling(all(old(3, readySince(time.Hour)), fresh(1, readySince(time.Minute))), minReady), out: []string{"old0"}},
		{name: "without surge: the old one first", s: rolling(old(3), budget("0", "1")), out: []string{"old0"}},
		{name: "without surge: then the new one",
			s: rolling(all(old(2), some(1, "out", outdated, leavingFor(v1alpha1.DrainRollout))), budget("0", "1")), create: 1},
		{name: "without surge: not more than may be missing", s: rolling(all(old(2), fresh(1, joining)), budget("0", "1"))},
		{name: "shares: a surge is rounded up, what may be missing down", s: rolling(old(3), budget("10%", "10%")),
			create: 1},
		{name: "shares that come to nothing: one may be missing", s: rolling(old(3), budget("0", "25%")),
			out: []string{"old0"}},
		{name: "shares that come to nothing: not two", s: rolling(all(old(2), fresh(1, joining)), budget("0%", "25%"))},
		{name: "both 0, which admission lets through as 00%", s: rolling(old(3), budget("00%", "0")), out: []string{"old0"}},
		{name: "an old one that comes back leaves when it is back",
			s: rolling(all(old(2), some(1, "back", outdated, notReady, canceling)), budget("0", "1"))},
		{name: "both", s: rolling(old(3), budget("1", "1")), create: 1, out: []string{"old0"}},
		{name: "an old one that doesn't work goes first",
			s: rolling(all(old(2), some(1, "sick", outdated, notReady)), budget("1", "1")), create: 1, out: []string{"sick0"}},
		{name: "an old one that doesn't work costs nothing once a new one works",
			s: rolling(all(old(2), some(1, "sick", outdated, notReady), fresh(1))), out: []string{"sick0"}},
		{name: "more are missing as well", s: rolling(old(2)), create: 1},
		{name: "protected ones stay, the others don't",
			s: rolling(all(old(2), some(1, "kept", outdated, protected), fresh(1))), out: []string{"old0"}},
		{name: "only protected ones are left", s: rolling(all(some(1, "kept", outdated, protected), fresh(2)))},
		{name: "OnDelete", s: rolling(old(3), func(s *pool.Snapshot) { s.Rollout.Type = v1alpha1.OnDelete })},
		{name: "scaled in meanwhile: the old ones are the victims",
			s:      rolling(all(old(3), fresh(2)), func(s *pool.Snapshot) { s.Replicas = 1 }),
			victim: []string{"old0", "old1", "old2"}},
		{name: "scaled in, the image is gone: who works leaves all the same", s: rolling(old(2), to(1), badImage),
			victim: []string{"old0"}, blocked: v1alpha1.ReasonImageNotFound},
		{name: "scaled in, the new one is refused: it is tried again", s: rolling(all(old(2), fresh(1, refused)), to(1)),
			victim: []string{"old0"}, blocked: v1alpha1.ReasonAdmissionDenied},
		{name: "scaled in, new ones don't join: those to be looked at stay",
			s:      rolling(all(old(3), fresh(3, late)), to(2), budget("3", "0"), withJoins("---", time.Hour)),
			victim: []string{"old0"}, blocked: v1alpha1.ReasonJoinsFailing},
		{name: "blocked: no more stay than may surge", s: rolling(all(old(3), fresh(3, late)), withJoins("---", time.Hour)),
			victim: []string{"new0", "new1"}, blocked: v1alpha1.ReasonJoinsFailing},
		{name: "blocked: one that has joined is not surplus but works", s: rolling(all(old(3), fresh(1)), badImage),
			victim: []string{"old0"}, blocked: v1alpha1.ReasonImageNotFound},
		{name: "blocked: who is asked for by name isn't kept",
			s: rolling(all(old(3), fresh(1, late, deleteNext)), withJoins("---", time.Hour)), victim: []string{"new0"},
			blocked: v1alpha1.ReasonJoinsFailing},
		{
			name: "waits for a scale-in that is blocked",
			s: rolling(all(old(3), fresh(2)),
				func(s *pool.Snapshot) { s.LastScale, s.ScaleIn.StabilizationWindow = now, window(time.Hour) }),
			blocked: v1alpha1.ReasonStabilizationWindow,
			wake:    time.Hour,
		},
		{name: "scaled in by less than may surge: the window blocks it",
			s: rolling(old(20), to(16), budget("25%", "0"), within(20*time.Second)), blocked: v1alpha1.ReasonStabilizationWindow,
			wake: 40 * time.Second},
		{name: "scaled in by as many as may surge: the window blocks it",
			s: rolling(all(old(2), fresh(2)), within(20*time.Second)), blocked: v1alpha1.ReasonStabilizationWindow,
			wake: 40 * time.Second},
		{name: "the window blocks nobody who is made", s: rolling(old(3), within(0)), create: 1,
			blocked: v1alpha1.ReasonStabilizationWindow, wake: time.Minute},
		{name: "the window blocks whoever doesn't work, too",
			s:       rolling(all(old(2), some(1, "sick", outdated, notReady)), budget("0", "1"), within(0)),
			blocked: v1alpha1.ReasonStabilizationWindow, wake: time.Minute},
		{name: "scaled out within the window: goes on", s: rolling(all(old(3), fresh(1)), within(0), scaledUp),
			out: []string{"old0"}},
		{name: "down and then a little up within the window: blocks as long as it would have",
			s:       rolling(all(old(3), fresh(1)), within(0), downBefore(20*time.Second)),
			blocked: v1alpha1.ReasonStabilizationWindow,
			wake:    40 * time.Second},
		{name: "down, and up when that window had passed: goes on",
			s: rolling(all(old(3), fresh(1)), within(0), downBefore(time.Minute)), out: []string{"old0"}},
		{name: "scaled out within the window, more than may surge are left of before: the scale-in blocks it",
			s: rolling(all(old(3), fresh(2)), within(0), scaledUp), blocked: v1alpha1.ReasonStabilizationWindow,
			wake: time.Minute},
		{name: "the Nomad of one hasn't been asked since the start: nobody is chosen",
			s:       rolling(all(old(2), some(1, "away", outdated, notAsked), fresh(1))),
			blocked: v1alpha1.ReasonNomadUnknown},
		{name: "that of one that leaves hasn't: it blocks nobody",
			s: rolling(all(old(2), fresh(2), some(1, "away", outdated, notAsked, leavingFor(v1alpha1.DrainRollout)))), out: []string{"old0"}},
		{name: "in another Nomad cluster: replaced as outdated",
			s: rolling(all(fresh(3), some(1, "away", func(m *pool.Member) { m.Elsewhere = true }))), out: []string{"away0"}},
		{name: "the window is over", s: rolling(all(old(3), fresh(1)), within(time.Minute)), out: []string{"old0"}},
		{name: "reverted: who is still on the way out comes back",
			s:      rolling(all(some(2, "new", outdated), fresh(0), some(1, "back", reclaimable(time.Minute), forRollout))),
			create: 1,
			cancel: []string{"back0"}},
		{name: "who makes capacity isn't reclaimed",
			s: rolling(all(old(1), fresh(1), some(1, "out", outdated, reclaimable(time.Minute), forRollout)),
				budget("0", "1")),
			create: 1},
		{name: "paused", s: rolling(all(old(3), fresh(1)), paused), blocked: v1alpha1.ReasonPaused},
		{name: "Nomad unknown", s: rolling(all(old(3), fresh(1)), nomadUnknown), blocked: v1alpha1.ReasonNomadUnknown,
			wake: 15 * time.Second},
		{name: "new ones don't join", s: rolling(all(old(3), fresh(1, late)), withJoins("---", time.Hour)),
			blocked: v1alpha1.ReasonJoinsFailing},
		{name: "new ones are refused", s: rolling(all(old(3), fresh(1, refused)), budget("1", "1")),
			blocked: v1alpha1.ReasonAdmissionDenied},
		{name: "no capacity for new ones", s: rolling(all(old(3), fresh(1, noCapacity))),
			blocked: v1alpha1.ReasonVMUnschedulable},
		{name: "no capacity for new ones: an old one that may be missing makes it",
			s: rolling(all(old(3), fresh(1, noCapacity)), budget("1", "1")), out: []string{"old0"}},
		{name: "an old one without capacity goes first",
			s: rolling(all(old(2), some(1, "sick", outdated, noCapacity)), budget("0", "1")), out: []string{"sick0"}},
		{name: "the image is gone", s: rolling(old(3), budget("1", "1"), badImage), blocked: v1alpha1.ReasonImageNotFound,
			wake: 15 * time.Second},
		{name: "one that didn't join is replaced: it is the one that may be missing",
			s: rolling(all(old(1), some(1, "late", outdated, late), some(1, "sick", outdated, notReady)), budget("0", "1"))},
		{name: "maxConcurrent: just enough", s: rolling(all(old(2), fresh(2)), atMost(1)), out: []string{"old0"}},
		{name: "maxConcurrent: one that didn't join takes the place",
			s:       rolling(all(old(2), fresh(2), some(1, "late", outdated, late)), to(4), budget("1", "1"), atMost(1)),
			blocked: v1alpha1.ReasonMaxConcurrent},
		{name: "maxConcurrent: one that doesn't work takes the place",
			s:   rolling(all(old(2), fresh(2), some(1, "sick", outdated, notReady)), to(4), budget("1", "1"), atMost(1)),
			out: []string{"sick0"}, blocked: v1alpha1.ReasonMaxConcurrent},
		{
			name: "maxConcurrent",
			s: rolling(all(old(2), fresh(2), some(1, "out", leavingFor(v1alpha1.DrainScaleIn))),
				func(s *pool.Snapshot) { s.ScaleIn.MaxConcurrent = ptr(int32(1)) }),
			blocked: v1alpha1.ReasonMaxConcurrent,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := pool.Decide(c.s)
			got := fmt.Sprintf("create %d, cancel %q, outdated %q, victims %q, blocked by %q, wake %s", p.Create, p.CancelDrains,
				p.Outdated, p.Victims, reason(p.RolloutBlocked), p.Wake)
			want := fmt.Sprintf("create %d, cancel %q, outdated %q, victims %q, blocked by %q, wake %s", c.create, c.cancel,
				c.out,
				c.victim, c.blocked, c.wake)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if up := pool.Conditions(c.s, p, pool.Outcome{})[v1alpha1.PoolUpToDate]; c.blocked != "" &&
				(up.Status == metav1.ConditionTrue || up.Reason != c.blocked) {
				t.Errorf("UpToDate is %+v, want the reason %s", up, c.blocked)
			}
		})
	}
}

func to(replicas int) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) { s.Replicas = replicas }
}

// within is a pool whose replicas changed so long ago, with a window of a minute.
func within(ago time.Duration) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) {
		s.ScaleIn.StabilizationWindow, s.LastScale, s.LastDown = window(time.Minute), now.Add(-ago), now.Add(-ago)
	}
}

// atMost is scaleIn.maxConcurrent.
func atMost(n int32) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) { s.ScaleIn.MaxConcurrent = ptr(n) }
}

func scaledUp(s *pool.Snapshot) { s.LastDown = time.Time{} }

func downBefore(ago time.Duration) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) { s.LastDown = now.Add(-ago) }
}

func forRollout(m *pool.Member) { m.LeavingReason = v1alpha1.DrainRollout }

// Members are an hour old.
func TestRolloutForTheirAge(t *testing.T) {
	restart := func(ago time.Duration) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) { s.Rollout.RestartedAt = &metav1.Time{Time: now.Add(-ago)} }
	}
	maxAge := func(d time.Duration) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) { s.Rollout.MaxAge = window(d) }
	}
	runAges := func(name string, s pool.Snapshot, want string, updated int) {
		t.Run(name, func(t *testing.T) {
			p := pool.Decide(s)
			got := fmt.Sprintf("create %d, outdated %q, wake %s", p.Create, p.Outdated, p.Wake)
			if got != want || pool.Count(s).Updated != updated {
				t.Errorf("got  %s, %d updated\nwant %s, %d updated", got, pool.Count(s).Updated, want, updated)
			}
		})
	}
	young := age(time.Minute)
	runAges("restarted since", rolling(some(3, "m"), restart(time.Minute)), `create 1, outdated [], wake 0s`, 0)
	runAges("one is made anew", rolling(all(some(3, "m"), some(1, "new", age(time.Second))), restart(time.Minute)),
		`create 0, outdated ["m0"], wake 0s`, 1)
	runAges("made after it", rolling(some(3, "m"), restart(2*time.Hour)), `create 0, outdated [], wake 0s`, 3)
	runAges("made in the same second", rolling(some(3, "m"), restart(time.Hour)), `create 0, outdated [], wake 0s`, 3)
	runAges("to be restarted later", rolling(some(3, "m"), restart(-time.Minute)), `create 0, outdated [], wake 1m0s`, 3)
	runAges("old enough", rolling(some(3, "m"), maxAge(time.Hour)), `create 1, outdated [], wake 0s`, 0)
	runAges("old enough soon", rolling(some(3, "m"), maxAge(61*time.Minute)), `create 0, outdated [], wake 1m0s`, 3)
	runAges("one is old enough, and may be missing",
		rolling(all(some(1, "m"), some(2, "young", young)), maxAge(time.Hour), budget("0", "1")),
		`create 0, outdated ["m0"], wake 59m0s`, 2)
	runAges("all at once: the budgets hold", rolling(some(3, "m"), maxAge(time.Hour), budget("0", "1")),
		`create 0, outdated ["m0"], wake 0s`, 0)
	runAges("a greatest age of nothing is none", rolling(some(3, "m"), maxAge(0)), `create 0, outdated [], wake 0s`, 3)
	runAges("protected", rolling(some(3, "m", protected), maxAge(time.Hour)), `create 0, outdated [], wake 0s`, 0)
	runAges("protected, and old enough soon: nobody waits for that",
		rolling(some(3, "m", protected), maxAge(61*time.Minute)), `create 0, outdated [], wake 0s`, 3)
	runAges(
		"OnDelete",
		rolling(some(3, "m"), maxAge(time.Hour), restart(time.Minute),
			func(s *pool.Snapshot) { s.Rollout.Type = v1alpha1.OnDelete }),
		`create 0, outdated [], wake 0s`,
		0,
	)
	runAges("paused", rolling(some(3, "m"), maxAge(61*time.Minute), paused), `create 0, outdated [], wake 0s`, 3)
	runAges("who left for it isn't reclaimed",
		rolling(all(some(2, "young", young), some(1, "m", reclaimable(time.Minute), forRollout)), maxAge(time.Hour)),
		`create 1, outdated [], wake 59m0s`, 2)
	runReports(t, v1alpha1.PoolUpToDate, []reportCase{
		{name: "under way", s: rolling(some(3, "m"), restart(time.Minute)), reason: v1alpha1.ReasonRollingOut,
			message: "restartedAt"},
		{name: "protected", s: rolling(all(some(2, "young", young), some(1, "m", protected)), maxAge(time.Hour)),
			reason: v1alpha1.ReasonAllProtected, message: "maxAge"},
		{name: "OnDelete",
			s:      rolling(some(3, "m"), restart(time.Minute), func(s *pool.Snapshot) { s.Rollout.Type = v1alpha1.OnDelete }),
			reason: v1alpha1.ReasonOnDelete, message: "restartedAt"},
	})
}

func TestUpToDateCondition(t *testing.T) {
	runReports(t, v1alpha1.PoolUpToDate, []reportCase{
		{name: "up to date", s: rolling(some(3, "new")), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "under way", s: rolling(some(3, "old", outdated)), reason: v1alpha1.ReasonRollingOut, message: "updatedReplicas"},
		{name: "protected", s: rolling(all(some(2, "new"), some(1, "old", outdated, protected))),
			reason: v1alpha1.ReasonAllProtected, message: v1alpha1.ProtectAnnotation},
		{name: "OnDelete", s: snapshot(1, member("old", outdated)), reason: v1alpha1.ReasonOnDelete,
			message: "delete a NomadNode"},
	})
}

func TestReadyDuringARollout(t *testing.T) {
	runReports(t, v1alpha1.PoolReady, []reportCase{
		{name: "as many as asked for work all the time", s: rolling(all(some(3, "old", outdated), some(1, "new", joining))),
			status: true, reason: v1alpha1.ReasonRollingOut},
		{name: "one is missing, as it may",
			s:      rolling(all(some(2, "old", outdated), some(1, "new", joining)), budget("0", "1")),
			reason: v1alpha1.ReasonJoining},
		{name: "blocked: UpToDate tells", s: rolling(some(3, "old", outdated), paused), status: true,
			reason: v1alpha1.ReasonAsExpected},
	})
}
