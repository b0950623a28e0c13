package pool

import (
	"slices"
	"time"
)

// Suspension is why it isn't judged at present whether members work: an upgrade of Harvester, and the maintenance of
// hosts with members that don't work. When it is over, the timeouts of these members begin anew.
type Suspension struct {
	// Upgrading is true while Harvester is being upgraded.
	Upgrading bool
	// Hosts are those in maintenance, sorted.
	Hosts []string
	// Resumed is when one of these was over last; zero: none was.
	Resumed time.Time
}

// open reports whether it goes on.
func (u Suspension) open() bool { return u.Upgrading || len(u.Hosts) > 0 }

// Update returns the suspension as it is now. While the hosts aren't observed it stays as it is.
func (u Suspension) Update(s Snapshot) Suspension {
	if !s.HostsKnown {
		return u
	}
	now := Suspension{Upgrading: s.Upgrade != nil, Resumed: u.Resumed}
	for _, m := range newIndex(s).inMaintenance {
		if !slices.Contains(now.Hosts, m.Host) {
			now.Hosts = append(now.Hosts, m.Host)
		}
	}
	slices.Sort(now.Hosts)
	over := func(host string) bool { return !slices.Contains(now.Hosts, host) }
	if u.Upgrading && !now.Upgrading || slices.ContainsFunc(u.Hosts, over) {
		now.Resumed = s.Now.Truncate(time.Second)
	}
	return now
}

// Resumed returns the snapshot in which the timeouts of members to join, or to work again, began anew when the last
// suspension was over.
func (s Snapshot) Resumed() Snapshot {
	from := s.Suspension.Resumed
	if from.IsZero() {
		return s
	}
	s.Members = slices.Clone(s.Members)
	for i := range s.Members {
		m := &s.Members[i]
		if until := from.Add(s.Health.JoinTimeout.Duration); m.JoinExpired && m.JoinDeadline.Before(until) {
			m.JoinDeadline, m.JoinExpired = until, !s.Now.Before(until)
		}
		if !m.UnhealthyTime.IsZero() && m.UnhealthyTime.Before(from) {
			m.UnhealthyTime = from
		}
	}
	return s
}
