package pool_test

import (
	"cmp"
	"reflect"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestSuspensionIsRecorded(t *testing.T) {
	before := now.Add(-time.Hour)
	upgrade := pool.Suspension{Upgrading: true}
	over := pool.Suspension{Resumed: before}
	away := pool.Suspension{NomadUnknown: true, Resumed: before}
	on := func(host string) memberChange { return func(m *pool.Member) { m.Host = host } }
	upgrading := func(s *pool.Snapshot) { s.Upgrade = &pool.Upgrade{} }
	down := some(1, "down", unhealthy(time.Hour), on("h1"))
	maintained := some(1, "down", unhealthy(time.Hour), on("h1"), inMaintenance)
	for name, test := range map[string]struct {
		was     pool.Suspension
		members []pool.Member
		change  func(*pool.Snapshot)
		want    pool.Suspension
	}{
		"nothing":              {pool.Suspension{}, down, nil, pool.Suspension{}},
		"an upgrade begins":    {pool.Suspension{}, down, upgrading, upgrade},
		"a maintenance begins": {pool.Suspension{}, maintained, nil, pool.Suspension{Hosts: []string{"h1"}}},
		"both, of two hosts": {pool.Suspension{}, all(some(2, "a", on("h2"), inMaintenance), maintained),
			upgrading, pool.Suspension{Upgrading: true, Hosts: []string{"h1", "h2"}}},
		"it goes on":                       {upgrade, down, upgrading, upgrade},
		"it goes on, and all work":         {upgrade, some(1, "up"), upgrading, upgrade},
		"it ends":                          {upgrade, down, nil, pool.Suspension{Resumed: now}},
		"it ends, and all work":            {upgrade, some(1, "up"), nil, pool.Suspension{Resumed: now}},
		"it ends, and a maintenance began": {upgrade, maintained, nil, pool.Suspension{Hosts: []string{"h1"}, Resumed: now}},
		"one of two maintenances ends": {pool.Suspension{Hosts: []string{"h0", "h1"}}, maintained, nil,
			pool.Suspension{Hosts: []string{"h1"}, Resumed: now}},
		"its member works for a moment": {pool.Suspension{Hosts: []string{"h1"}}, some(1, "up", on("h1")),
			func(s *pool.Snapshot) { s.HostsInMaintenance = []string{"h1"} }, pool.Suspension{Hosts: []string{"h1"}}},
		"it ended before": {over, down, nil, over},
		"another begins":  {over, down, upgrading, pool.Suspension{Upgrading: true, Resumed: before}},
		"Nomad can't be asked, and one should join": {pool.Suspension{}, some(1, "a", joining), nomadUnknown,
			pool.Suspension{NomadUnknown: true}},
		"Nomad can't be asked, and time is up": {pool.Suspension{}, some(1, "a", late), nomadUnknown,
			pool.Suspension{NomadUnknown: true}},
		"Nomad can't be asked, and one works under another ID": {pool.Suspension{}, some(1, "a", elsewhere), nomadUnknown,
			pool.Suspension{NomadUnknown: true}},
		"Nomad can't be asked, and nobody is to join": {pool.Suspension{}, all(down, some(1, "a", noCapacity),
			some(1, "b", pending), some(1, "c", joining, leaving(0))), nomadUnknown, pool.Suspension{}},
		"Nomad can be asked again":   {pool.Suspension{NomadUnknown: true}, down, nil, pool.Suspension{Resumed: now}},
		"Nomad still can't be asked": {away, some(1, "a", joining), nomadUnknown, away},
		"nobody is to join any more": {away, down, nomadUnknown, pool.Suspension{Resumed: before}},
		"Nomad is known again, the hosts aren't": {pool.Suspension{Upgrading: true, NomadUnknown: true}, down,
			func(s *pool.Snapshot) { s.HostsKnown = false }, pool.Suspension{Upgrading: true, Resumed: now}},
		"not asked since the controller's start": {away, some(1, "a", joining),
			func(s *pool.Snapshot) { nomadUnknown(s); s.NomadNotAsked = true }, away},
		"not observed": {upgrade, down, func(s *pool.Snapshot) { s.HostsKnown = false }, upgrade},
	} {
		t.Run(name, func(t *testing.T) {
			s := tended(test.members, func(s *pool.Snapshot) { s.Suspension, s.HostsKnown = test.was, true })
			if test.change != nil {
				test.change(&s)
			}
			for _, m := range s.Members {
				if m.HostMaintenance {
					s.HostsInMaintenance = append(s.HostsInMaintenance, m.Host)
				}
			}
			slices.Sort(s.HostsInMaintenance)
			s.HostsInMaintenance = slices.Compact(s.HostsInMaintenance)
			if got := test.was.Update(s); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// When a suspension is over, members that had run out of time get all of it once more, and are replaced when that is
// over, too.
func TestTimeBeginsAnewAfterASuspension(t *testing.T) {
	over := now.Add(-time.Minute)
	for name, test := range map[string]struct {
		member    pool.Member
		wake      time.Duration
		failed    bool // when the time is up
		unhealthy bool
	}{
		"didn't join": {member: member("a", late), wake: 9 * time.Minute, failed: true},
		"down": {member: member("a", unhealthy(time.Hour)), wake: 4 * time.Minute,
			unhealthy: true},
		"down since a moment after it": {member: member("a", unhealthy(30*time.Second)),
			wake: 4*time.Minute + 30*time.Second, unhealthy: true},
		"works": {member: member("a")},
		"joins, with less left of its own than it will get": {member: member("a", joining,
			func(m *pool.Member) { m.JoinDeadline = now.Add(time.Minute) }), wake: time.Minute},
		"joins, with time left of its own": {member: member("a", joining,
			func(m *pool.Member) { m.JoinDeadline = now.Add(9 * time.Minute) }), wake: 9 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := tended(all(some(4, "up"), []pool.Member{test.member}), func(s *pool.Snapshot) {
				s.Health.JoinTimeout = metav1.Duration{Duration: 10 * time.Minute}
				s.Suspension = pool.Suspension{Resumed: over}
			})
			before := slices.Clone(s.Members)
			resumed := s.Resumed()
			next := min(test.wake, 15*time.Second) // the next suspension may begin
			if p := pool.Decide(resumed); len(p.Failed)+len(p.Unhealthy) > 0 || p.Wake != next {
				t.Errorf("at once: failed %v, unhealthy %v, next plan in %s, want in %s", p.Failed, p.Unhealthy, p.Wake, next)
			}
			if got := (pool.Joins{Key: "k", Since: now.Add(-24 * time.Hour)}).Update("k", resumed); slices.ContainsFunc(
				got.Results, func(r pool.JoinResult) bool { return !r.Joined }) {
				t.Errorf("counted as a failure to join: %v", got.Results)
			}
			if !slices.EqualFunc(before, s.Members, func(a, b pool.Member) bool {
				return a.JoinDeadline.Equal(b.JoinDeadline) && a.JoinExpired == b.JoinExpired
			}) {
				t.Error("the snapshot itself was changed")
			}
			s.Now = now.Add(cmp.Or(test.wake, time.Hour)) // the time of one that works is never up
			p, named := pool.Decide(s.Resumed()), map[bool][]string{true: {"a"}}
			if !slices.Equal(p.Failed, named[test.failed]) || !slices.Equal(p.Unhealthy, named[test.unhealthy]) {
				t.Errorf("when its time is up: failed %v, unhealthy %v", p.Failed, p.Unhealthy)
			}
		})
	}
}

// A suspension that was over before a member began to join doesn't move its time to an earlier one.
func TestOldSuspensionMovesNoTime(t *testing.T) {
	s := tended(some(1, "a", lateSince(time.Minute)), func(s *pool.Snapshot) {
		s.Suspension = pool.Suspension{Resumed: now.Add(-time.Hour)}
	})
	if got, want := s.Resumed().Members[0].JoinDeadline, now.Add(-time.Minute); !got.Equal(want) {
		t.Errorf("its time was up at %s, want %s", got, want)
	}
}

// No member is replaced that hasn't joined another Nomad than the pool's, while that can't be asked.
func TestNobodyIsReplacedWhoseNomadIsUnknown(t *testing.T) {
	p := pool.Decide(tended(all(some(4, "up"), some(1, "a", late, awayInUnknown)),
		func(s *pool.Snapshot) { s.Rollout.Type = v1alpha1.OnDelete }))
	if len(p.Failed) > 0 || p.RepairBlocked == nil || p.RepairBlocked.Reason != v1alpha1.ReasonNomadUnknown {
		t.Errorf("failed %v, blocked by %v", p.Failed, p.RepairBlocked)
	}
}

// As long as a suspension goes on the hosts are observed again, because no event is sent when it ends.
func TestSuspensionIsLookedAtAgain(t *testing.T) {
	s := tended(some(5, "up"), func(s *pool.Snapshot) { s.Suspension = pool.Suspension{Upgrading: true} })
	if p := pool.Decide(s); !pool.NeedsHosts(s) || p.Wake != 15*time.Second {
		t.Errorf("needs hosts %t, next plan in %s", pool.NeedsHosts(s), p.Wake)
	}
}
