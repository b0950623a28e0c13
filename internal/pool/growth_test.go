package pool_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestGrowthBlockedBy(t *testing.T) {
	failing := func(s *pool.Snapshot) {
		s.Joins = pool.Joins{
			Results: []pool.JoinResult{{Member: "a", Time: now}, {Member: "b", Time: now}, {Member: "c", Time: now}}}
	}
	oneFailed := func(s *pool.Snapshot) { s.Joins = pool.Joins{Results: []pool.JoinResult{{Member: "a", Time: now}}} }
	fullQuota := func(s *pool.Snapshot) {
		s.Quota = &pool.Quota{Problem: condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: "too little is left"}}
	}
	for name, c := range map[string]struct {
		s      pool.Snapshot
		change func(*pool.Snapshot)
		failed bool // to make a member
		want   v1alpha1.BlockedCause
	}{
		"as wanted":                   {s: snapshot(1, member("a"))},
		"being made":                  {s: snapshot(2, member("a"))},
		"made by and by":              {s: snapshot(9, member("a", pending))},
		"reclaimed":                   {s: snapshot(1, member("a", reclaimable(0)))},
		"joining":                     {s: snapshot(1, member("a", joining))},
		"late":                        {s: snapshot(1, member("a", late))},
		"waits after one that failed": {s: snapshot(2, member("a")), change: oneFailed},
		"Nomad unknown":               {s: snapshot(2, member("a")), change: nomadUnknown},
		"paused":                      {s: snapshot(1, member("a")), change: paused, want: v1alpha1.BlockedByPause},
		"template": {s: snapshot(2, member("a")), change: badImage,
			want: v1alpha1.BlockedByTemplate},
		"template, and nobody is missing": {s: snapshot(1, member("a")), change: badImage,
			want: v1alpha1.BlockedByTemplate},
		"refused": {s: snapshot(2, member("a"), member("b", refused)),
			want: v1alpha1.BlockedByAdmission},
		"quota": {s: snapshot(2, member("a")), change: fullQuota,
			want: v1alpha1.BlockedByQuota},
		"quota, and nobody is missing": {s: snapshot(1, member("a")), change: fullQuota},
		"a NomadNode can't be made":    {s: snapshot(2, member("a")), failed: true, want: v1alpha1.BlockedByFailure},
		"no token": {s: snapshot(2, member("a"),
			member("b", lacks(v1alpha1.ReasonIntroductionToken))), want: v1alpha1.BlockedByToken},
		"no capacity": {s: snapshot(2, member("a"), member("b", noCapacity)),
			want: v1alpha1.BlockedByCapacity},
		"no capacity for one that is outdated": {s: snapshot(3, member("a"), member("b", noCapacity, outdated))},
		"a name is taken, others come":         {s: snapshot(3, member("a"), member("b", lacks(v1alpha1.ReasonVMNameTaken)))},
		"none joins":                           {s: snapshot(2, member("a")), change: failing, want: v1alpha1.BlockedByJoins},
		"none joins, and nobody is missing":    {s: snapshot(1, member("a")), change: failing, want: v1alpha1.BlockedByJoins},
		"no token for one that leaves again": {s: snapshot(1, member("a"),
			member("b", lacks(v1alpha1.ReasonIntroductionToken), leaving(time.Minute)))},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.s)
			}
			if got := pool.GrowthBlockedBy(c.s, pool.Decide(c.s), outcome(c.failed)); got != c.want {
				t.Errorf("blocked by %q, want %q", got, c.want)
			}
		})
	}
}

func outcome(failed bool) pool.Outcome {
	if !failed {
		return pool.Outcome{}
	}
	return pool.Outcome{
		CreateError: &nodestate.Blocked{By: v1alpha1.BlockedByAdmission,
			Problem: condition.Problem{Reason: v1alpha1.ReasonCreateFailed, Message: "exceeded quota: members"}}}
}

// Whatever growth is blocked by, the condition that the API names for it says what it is.
func TestConditionsSayWhatGrowthIsBlockedBy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		s.Paused = false
		if flag(t, "limited by a quota") && pool.NeedsQuota(s) {
			s.Quota = &pool.Quota{Capacity: rapid.IntRange(0, 4).Draw(t, "capacity"),
				Problem: condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: "full"}}
		}
		p, out := pool.Decide(s), outcome(rapid.IntRange(0, 9).Draw(t, "failed") == 0)
		by, all := pool.GrowthBlockedBy(s, p, out), pool.Conditions(s, p, out)
		words := all[v1alpha1.PoolScalingOut]
		switch by {
		case "":
			return
		case v1alpha1.BlockedByTemplate, v1alpha1.BlockedByAdmission, v1alpha1.BlockedByQuota:
			words = all[v1alpha1.PoolTemplateValid]
		case v1alpha1.BlockedByJoins:
			words = all[v1alpha1.PoolJoinsHealthy]
		}
		if words.Reason == v1alpha1.ReasonAsExpected {
			t.Fatalf("blocked by %q, but the condition that says what it is says %+v", by, words)
		}
	})
}
