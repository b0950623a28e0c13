package pool

import (
	"slices"
	"time"
)

// Suspension is what keeps it from being judged if members work: an upgrade of Harvester, and the maintenance of
// hosts with members that don't work. What time these had was lost to that: when it is over, their time begins anew.
type Suspension struct {
	// Upgrading is true while Harvester is being upgraded.
	Upgrading bool
	// Hosts are those in maintenance, sorted.
	Hosts []string
	// Resumed is when one of these was over last; zero: none was.
	Resumed time.Time
}

// open is true while it goes on.
func (u Suspension) open() bool { return u.Upgrading || len(u.Hosts) > 0 }

// Record adds what is seen now. While nobody looks at the hosts it stays as it is.
func (u Suspension) Record(s Snapshot) Suspension {
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

// Resumed is the snapshot in which the time of members to join, or to work again, has begun anew when the last
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
