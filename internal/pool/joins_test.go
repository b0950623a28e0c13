package pool_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// joins is evidence in a word: + joined, - didn't, one a minute, the last so long ago.
func joins(word string, ago time.Duration) pool.Joins {
	j := pool.Joins{Key: "key", Since: now.Add(-24 * time.Hour)}
	for i, c := range word {
		at := now.Add(-ago - time.Duration(len(word)-1-i)*time.Minute)
		j.Results = append(j.Results, pool.JoinResult{Member: fmt.Sprint("m", i), Joined: c == '+', Time: at})
	}
	return j
}

func word(j pool.Joins) string {
	var w strings.Builder
	for _, r := range j.Results {
		w.WriteString(map[bool]string{true: "+", false: "-"}[r.Joined])
	}
	return w.String()
}

func joinedAt(ago time.Duration) memberChange {
	return func(m *pool.Member) { m.JoinedAt = now.Add(-ago) }
}

func lateSince(ago time.Duration) memberChange {
	return func(m *pool.Member) { late(m); m.JoinDeadline = now.Add(-ago) }
}

func TestJoinsAreRecordedOnce(t *testing.T) {
	recoveredAgo := func(d time.Duration) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) { s.NomadRecovered = now.Add(-d) }
	}
	cases := []struct {
		name    string
		before  pool.Joins
		key     string
		members []pool.Member
		change  func(*pool.Snapshot)
		want    string
	}{
		{name: "joined", members: []pool.Member{member("a", joinedAt(time.Minute))}, want: "+"},
		{name: "failed", members: []pool.Member{member("a", lateSince(time.Minute))}, want: "-"},
		{name: "open", members: []pool.Member{member("a", joining)}, want: ""},
		{name: "in the order of time",
			members: []pool.Member{member("a", lateSince(time.Minute)), member("b", joinedAt(time.Hour))}, want: "+-"},
		{name: "Nomad unknown: who could have been seen to join?",
			members: []pool.Member{member("a", lateSince(time.Minute))}, change: nomadUnknown, want: ""},
		{name: "left early", members: []pool.Member{member("a", lateSince(time.Minute), leaving(0))}, want: ""},
		{name: "leaves because it failed",
			members: []pool.Member{member("a", lateSince(time.Minute), leavingFor(v1alpha1.DrainJoinTimeout))}, want: "-"},
		{name: "stopped by somebody", members: []pool.Member{member("a", lateSince(time.Minute), halted)}, want: ""},
		{name: "of an older template",
			members: []pool.Member{member("a", lateSince(time.Minute), outdated), member("b", joinedAt(time.Minute), outdated)},
			want:    ""},
		{name: "one of an older template says nothing of the next",
			members: []pool.Member{member("a", lateSince(time.Minute), outdated), member("b", joinedAt(time.Minute))}, want: "+"},
		{name: "Nomad has just come back: who could have registered?",
			members: []pool.Member{member("a", lateSince(time.Minute)), member("b", joinedAt(time.Hour))},
			change:  recoveredAgo(59 * time.Second), want: "+"},
		{name: "Nomad is back for long", members: []pool.Member{member("a", lateSince(time.Minute))},
			change: recoveredAgo(time.Minute), want: "-"},
		{name: "Harvester is being upgraded", members: []pool.Member{member("a", lateSince(time.Minute))},
			change: func(s *pool.Snapshot) { s.Upgrade = &pool.Upgrade{} }, want: ""},
		{name: "its host is in maintenance", members: []pool.Member{member("a", lateSince(time.Minute), inMaintenance)},
			want: ""},
		{name: "seen ready, but not written down yet", members: []pool.Member{member("a")}, want: ""},
		{name: "no capacity for its VM", members: []pool.Member{member("a", lateSince(time.Minute), func(m *pool.Member) {
			m.Blocked = &nodestate.Blocked{By: v1alpha1.BlockedByCapacity,
				Problem: condition.Problem{Reason: v1alpha1.ReasonVMAboveQuota}}
		})}, want: ""},
		{name: "joined after all", before: joins("-", time.Minute), members: []pool.Member{member("m0", joinedAt(0))},
			want: "+"},
		{name: "known already", before: joins("-", time.Minute),
			members: []pool.Member{member("m0", lateSince(2*time.Minute))}, want: "-"},
		{name: "forgotten before", before: joins("++++++++++", time.Minute),
			members: []pool.Member{member("old", joinedAt(time.Hour))}, want: "++++++++++"},
		{name: "as old as the first that is kept", before: joins("-+++++++++", time.Minute),
			members: []pool.Member{member("z", joinedAt(10*time.Minute))}, want: "-+++++++++"},
		{name: "only the last ones are kept", before: joins("++++++++++", time.Minute),
			members: []pool.Member{member("new", lateSince(0))}, want: "+++++++++-"},
		{name: "another template: evidence begins anew", before: joins("---", time.Minute), key: "other",
			members: []pool.Member{member("m0", lateSince(time.Minute))}, want: ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.before.Key == "" {
				c.before = joins("", 0)
			}
			if c.key == "" {
				c.key = "key"
			}
			s := snapshot(1, c.members...)
			if c.change != nil {
				c.change(&s)
			}
			got := c.before.Update(c.key, s)
			if word(got) != c.want {
				t.Errorf("got %q, want %q", word(got), c.want)
			}
			if again := got.Update(c.key, s); fmt.Sprint(again) != fmt.Sprint(got) {
				t.Errorf("recorded again it is %v, was %v", again, got)
			}
		})
	}
}

func withJoins(w string, ago time.Duration) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) { s.Joins = joins(w, ago) }
}

func TestMembersThatFailToJoinSlowDownTheNext(t *testing.T) {
	three := func(ms ...pool.Member) pool.Snapshot { return snapshot(3, ms...) }
	runPlans(t, []planCase{
		{name: "none failed", s: three(some(2, "m")...), change: withJoins("++", time.Hour), create: 1},
		{name: "one failed just now", s: three(some(2, "m")...), change: withJoins("+-", 4*time.Second),
			scaleOutBlocked: v1alpha1.ReasonBackOff, wake: 6 * time.Second},
		{name: "one failed a while ago", s: three(some(2, "m")...), change: withJoins("+-", 10*time.Second), create: 1},
		{name: "two failed: twice as long", s: three(some(2, "m")...), change: withJoins("--", 10*time.Second),
			scaleOutBlocked: v1alpha1.ReasonBackOff, wake: 10 * time.Second},
		{name: "one at a time", s: three(member("m", joining)), change: withJoins("-", time.Minute),
			scaleOutBlocked: v1alpha1.ReasonBackOff},
		{name: "only one of many", s: snapshot(5, some(3, "m", young)...), change: withJoins("+-", time.Minute), create: 1,
			scaleOutBlocked: v1alpha1.ReasonBackOff},
		{name: "a success ends it", s: three(some(2, "m")...), change: withJoins("--+", time.Second), create: 1},
		{name: "three failed: no more", s: three(some(2, "m")...), change: withJoins("+---", time.Hour),
			scaleOutBlocked: v1alpha1.ReasonJoinsFailing},
		{name: "a scale-in works all the same", s: snapshot(1, some(2, "m", index(1))...),
			change: withJoins("---", time.Hour), victims: []string{"m0"}},
	})
}

func rollingUpdate(s *pool.Snapshot) { s.Rollout.Type = v1alpha1.RollingUpdate }

func servers(s *pool.Snapshot) { s.Servers, s.NomadLeader = []string{"a", "b"}, "10.0.0.1:4647" }

func both(changes ...func(*pool.Snapshot)) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) {
		for _, change := range changes {
			change(s)
		}
	}
}

func TestRegistrationHealthyCondition(t *testing.T) {
	one := snapshot(1, member("a"))
	runReports(t, v1alpha1.PoolJoinsHealthy, []reportCase{
		{name: "nobody tried", s: one, status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "all joined", s: one, change: withJoins("++", 0), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "the last failed, and is missing", s: snapshot(2, member("a")), change: withJoins("+-", 0),
			reason: v1alpha1.ReasonJoinTimeouts, message: "replaced"},
		{name: "the last failed, and the next is joining", s: snapshot(2, member("a"), member("b", joining)),
			change: withJoins("+-", 0), reason: v1alpha1.ReasonJoinTimeouts, message: "replaced"},
		{name: "the last failed, and is leaving for that",
			s:      snapshot(1, member("a"), member("b", late, leavingFor(v1alpha1.DrainJoinTimeout))),
			change: withJoins("+-", 0), reason: v1alpha1.ReasonJoinTimeouts, message: "replaced"},
		{name: "the last failed, and others are to be replaced", s: snapshot(1, member("a", outdated)),
			change: both(withJoins("+-", 0), rollingUpdate), reason: v1alpha1.ReasonJoinTimeouts, message: "replaced"},
		{name: "the last failed, and that is over", s: one, change: withJoins("+-", 0), status: true,
			reason: v1alpha1.ReasonAsExpected},
		{name: "the last failed, and isn't wanted any more", s: snapshot(0), change: withJoins("+-", 0), status: true,
			reason: v1alpha1.ReasonAsExpected},
		{name: "one of two failed", s: one, change: withJoins("-+", 0), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "half of the last failed", s: one, change: withJoins("+-+-+", 0), reason: v1alpha1.ReasonJoinTimeouts,
			message: "half"},
		{name: "long ago", s: one, change: withJoins("---+++", 0), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "breaker", s: one, change: withJoins("---", 0), reason: v1alpha1.ReasonJoinsFailing,
			message: v1alpha1.RetryJoinsAnnotation},
		{name: "breaker: the VM that is kept",
			s:      snapshot(2, member("a"), member("c", late), member("b", late, leavingFor(v1alpha1.DrainJoinTimeout))),
			change: withJoins("---", 0), reason: v1alpha1.ReasonJoinsFailing,
			message: "Of their VMs c is left, and kept: look at its console"},
		{name: "breaker: the VMs that are kept", s: snapshot(3, member("a"), member("c", late), member("b", late)),
			change: withJoins("---", 0), reason: v1alpha1.ReasonJoinsFailing, message: "These VMs are kept: b, c. Look"},
		{name: "breaker: many are kept", s: snapshot(9, some(9, "m", late)...), change: withJoins("---", 0),
			reason: v1alpha1.ReasonJoinsFailing, message: "m0, m1, m2, m3, m4, and others (kubectl get nn). Look"},
		{name: "breaker: as many are kept as are named", s: snapshot(5, some(5, "m", late)...), change: withJoins("---", 0),
			reason: v1alpha1.ReasonJoinsFailing, message: "m0, m1, m2, m3, m4. Look"},
		{name: "breaker: none is kept", s: one, change: withJoins("---", 0), reason: v1alpha1.ReasonJoinsFailing,
			message: "None of their VMs is left."},
		{name: "breaker: which servers they were told", s: one, change: both(withJoins("---", 0), servers),
			reason:  v1alpha1.ReasonJoinsFailing,
			message: "Servers to join (spec.nomad.servers): a, b. Nomad's leader calls its own address 10.0.0.1:4647."},
		{name: "one failed: which servers it was told", s: snapshot(1, member("a", late)), change: servers,
			reason: v1alpha1.ReasonJoinTimeouts, message: "Servers to join (spec.nomad.servers): a, b."},
	})
}
