package pool_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestSuspensionIsRecorded(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	open := pool.Suspension{Since: ago(time.Hour)}
	over := pool.Suspension{Since: ago(time.Hour), Until: ago(time.Minute)}
	upgrading := func(s *pool.Snapshot) { s.Upgrading = true }
	nobodyLooks := func(s *pool.Snapshot) { s.HostsKnown = false }
	late := some(1, "late", late)
	for name, test := range map[string]struct {
		was     pool.Suspension
		members []pool.Member
		change  func(*pool.Snapshot)
		want    pool.Suspension
	}{
		"nothing":                  {pool.Suspension{}, late, nil, pool.Suspension{}},
		"an upgrade begins":        {pool.Suspension{}, late, upgrading, pool.Suspension{Since: now}},
		"a maintenance begins":     {pool.Suspension{}, some(1, "down", unhealthy(time.Hour), inMaintenance), nil, pool.Suspension{Since: now}},
		"it goes on":               {open, late, upgrading, open},
		"it goes on, and all work": {open, some(1, "up"), upgrading, open},
		"it ends":                  {open, late, nil, pool.Suspension{Since: open.Since, Until: now}},
		"it ends, and all work":    {open, some(1, "up"), nil, pool.Suspension{Since: open.Since, Until: now}},
		"it ended before":          {over, late, nil, over},
		"another begins":           {over, late, upgrading, pool.Suspension{Since: now}},
		"nobody looks":             {open, late, nobodyLooks, open},
	} {
		t.Run(name, func(t *testing.T) {
			s := tended(test.members, func(s *pool.Snapshot) { s.Suspension, s.HostsKnown = test.was, true })
			if test.change != nil {
				test.change(&s)
			}
			if got := test.was.Record(s); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// When a suspension is over, members that had run out of time get all of it once more, and are replaced when that is over, too.
func TestTimeBeginsAnewAfterASuspension(t *testing.T) {
	over := now.Add(-time.Minute)
	for name, test := range map[string]struct {
		member    pool.Member
		wake      time.Duration
		failed    bool // when the time is up
		unhealthy bool
	}{
		"didn't join":                      {member: member("a", late), wake: 9 * time.Minute, failed: true},
		"down":                             {member: member("a", unhealthy(time.Hour)), wake: 4 * time.Minute, unhealthy: true},
		"down since a moment after it":     {member: member("a", unhealthy(30*time.Second)), wake: 4*time.Minute + 30*time.Second, unhealthy: true},
		"works":                            {member: member("a")},
		"joins, with time left of its own": {member: member("a", joining, func(m *pool.Member) { m.JoinDeadline = now.Add(time.Hour) }), wake: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			s := tended(all(some(4, "up"), []pool.Member{test.member}), func(s *pool.Snapshot) {
				s.Health.JoinTimeout = metav1.Duration{Duration: 10 * time.Minute}
				s.Suspension = pool.Suspension{Since: over.Add(-time.Hour), Until: over}
			})
			before := slices.Clone(s.Members)
			resumed := s.Resumed()
			if p := pool.Decide(resumed); len(p.Failed)+len(p.Unhealthy) > 0 || p.Wake != test.wake {
				t.Errorf("at once: failed %v, unhealthy %v, next look in %s, want in %s", p.Failed, p.Unhealthy, p.Wake, test.wake)
			}
			if got := (pool.Joins{Key: "k", Since: now.Add(-24 * time.Hour)}).Record("k", resumed); slices.ContainsFunc(got.Results, func(r pool.JoinResult) bool { return !r.Joined }) {
				t.Errorf("counted as a failure to join: %v", got.Results)
			}
			if !slices.EqualFunc(before, s.Members, func(a, b pool.Member) bool {
				return a.JoinDeadline.Equal(b.JoinDeadline) && a.JoinExpired == b.JoinExpired
			}) {
				t.Error("the snapshot itself was changed")
			}
			s.Now = now.Add(test.wake)
			p := pool.Decide(s.Resumed())
			if test.wake > 0 && ((len(p.Failed) > 0) != test.failed || (len(p.Unhealthy) > 0) != test.unhealthy) {
				t.Errorf("when its time is up: failed %v, unhealthy %v", p.Failed, p.Unhealthy)
			}
		})
	}
}

// As long as a suspension goes on the hosts are looked at again, because nothing tells of its end.
func TestSuspensionIsLookedAtAgain(t *testing.T) {
	s := tended(some(5, "up"), func(s *pool.Snapshot) { s.Suspension = pool.Suspension{Since: now} })
	if p := pool.Decide(s); !pool.NeedsHosts(s) || p.Wake != 15*time.Second {
		t.Errorf("needs hosts %t, next look in %s", pool.NeedsHosts(s), p.Wake)
	}
}
