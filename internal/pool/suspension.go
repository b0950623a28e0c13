package pool

import (
	"slices"
	"time"
)

// Suspension is the last time during which it wasn't judged if members work, because Harvester was being upgraded, or members that
// didn't work had their host in maintenance. What time they had was lost to that: when it is over, their time begins anew.
type Suspension struct {
	// Since is when it began; zero: there has been none.
	Since time.Time
	// Until is when it was over; zero: it goes on.
	Until time.Time
}

// open is true while it goes on.
func (u Suspension) open() bool { return !u.Since.IsZero() && u.Until.IsZero() }

// Record adds what is seen now. While nobody looks at the hosts it stays as it is.
func (u Suspension) Record(s Snapshot) Suspension {
	now := s.Now.Truncate(time.Second)
	suspended := s.Upgrading || slices.ContainsFunc(s.active(), func(m Member) bool { return m.HostMaintenance })
	switch {
	case !s.HostsKnown:
		return u
	case suspended && !u.open():
		return Suspension{Since: now}
	case !suspended && u.open():
		u.Until = now
	}
	return u
}

// Resumed is the snapshot in which the time of members to join, or to work again, has begun anew when the last suspension was over.
func (s Snapshot) Resumed() Snapshot {
	from := s.Suspension.Until
	if from.IsZero() {
		return s
	}
	s.Members = slices.Clone(s.Members)
	for i := range s.Members {
		m := &s.Members[i]
		if until := from.Add(s.Health.JoinTimeout.Duration); m.JoinExpired && m.JoinDeadline.Before(until) {
			m.JoinDeadline, m.JoinExpired = until, !s.Now.Before(until)
		}
		if !m.UnhealthySince.IsZero() && m.UnhealthySince.Before(from) {
			m.UnhealthySince = from
		}
	}
	return s
}
