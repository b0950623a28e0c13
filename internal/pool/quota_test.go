package pool_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

var full = condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: "the quota is full"}

func capacity(n int) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) { s.Quota = &pool.Quota{Capacity: n, Problem: full} }
}

// No more members are made than the quotas have capacity for. Nothing else waits for them.
func TestQuota(t *testing.T) {
	for name, c := range map[string]struct {
		capacity, create int
		full             bool
		s                pool.Snapshot
	}{
		"capacity for all":           {5, 2, false, snapshot(4, member("a"), member("b", young))},
		"capacity for just as many":  {2, 2, false, snapshot(4, member("a"), member("b", young))},
		"capacity for one":           {1, 1, true, snapshot(4, member("a"), member("b"))},
		"no capacity":                {0, 0, true, snapshot(4, member("a"), member("b"))},
		"taken by one that has none": {1, 0, true, snapshot(4, member("a"), member("b"), member("c", pending))},
		"nobody is missing":          {0, 0, false, snapshot(2, member("a"), member("b"))},
		"too many":                   {0, 0, false, snapshot(1, member("a"), member("b"))},
		"reclaimed instead":          {0, 0, false, snapshot(2, member("a"), member("b", reclaimable(time.Minute)))},
		"a rollout's surge":          {0, 0, true, inRollout(0, 1, member("a", outdated), member("b", outdated))},
	} {
		t.Run(name, func(t *testing.T) {
			capacity(c.capacity)(&c.s)
			p := pool.Decide(c.s)
			if p.Create != c.create {
				t.Errorf("makes %d, want %d", p.Create, c.create)
			}
			if blocked := p.ScaleOutBlocked != nil && p.ScaleOutBlocked.Problem == full; blocked != c.full {
				t.Errorf("blocked: %+v", p.ScaleOutBlocked)
			}
			if c.full && p.Wake == 0 {
				t.Error("no wake-up")
			}
			valid := pool.Conditions(c.s, p, pool.Outcome{})[v1alpha1.PoolTemplateValid]
			if (valid.Status == metav1.ConditionTrue) == c.full || c.full && valid.Reason != full.Reason {
				t.Errorf("TemplateValid: %+v", valid)
			}
		})
	}
}

// inRollout is a pool in a rollout.
func inRollout(unavailable, surge int, members ...pool.Member) pool.Snapshot {
	s := snapshot(len(members), members...)
	s.Rollout = v1alpha1.RolloutSpec{Type: v1alpha1.RollingUpdate, MaxSurge: ptr(intstr.FromInt(surge)),
		MaxUnavailable: ptr(intstr.FromInt(unavailable))}
	return s
}

// A rollout that frees capacity for itself goes on though a quota is full.
func TestQuotaDoesNotHoldARollout(t *testing.T) {
	s := inRollout(1, 0, member("a", outdated), member("b"))
	capacity(0)(&s)
	if p := pool.Decide(s); len(p.Outdated) != 1 || p.RolloutBlocked != nil {
		t.Errorf("%+v", p)
	}
}

// To observe the quotas costs a request, so that is done only if members are to be made.
func TestQuotaIsObservedIfMembersAreMade(t *testing.T) {
	for name, c := range map[string]struct {
		s      pool.Snapshot
		change func(*pool.Snapshot)
		makes  bool
		want   bool
	}{
		"one is missing":                {s: snapshot(2, member("a")), makes: true, want: true},
		"as wanted":                     {s: snapshot(1, member("a"))},
		"too many":                      {s: snapshot(0, member("a"))},
		"reclaimed instead":             {s: snapshot(1, member("a", reclaimable(time.Minute)))},
		"one is missing, paused":        {s: snapshot(2, member("a")), change: paused, makes: true},
		"one is missing, deleted":       {s: snapshot(2, member("a")), change: deleting, makes: true},
		"one is missing, without image": {s: snapshot(2, member("a")), change: badImage, makes: true},
		"as wanted, without image":      {s: snapshot(1, member("a")), change: badImage},
	} {
		if c.change != nil {
			c.change(&c.s)
		}
		if makes, needs := pool.MakesMembers(c.s), pool.NeedsQuota(c.s); makes != c.makes || needs != c.want {
			t.Errorf("%s: makes members %t, needs the quota %t, want %t and %t", name, makes, needs, c.makes, c.want)
		}
	}
}
