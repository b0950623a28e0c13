package pool

import (
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Suspension is why it isn't judged at present whether members work: an upgrade of Harvester, the maintenance of hosts
// with members that don't work, and a Nomad that can't be asked if members have joined. When it is over, the timeouts
// of these members begin anew.
type Suspension struct {
	// Upgrading is true while Harvester is being upgraded.
	Upgrading bool
	// Hosts are those in maintenance that had a member that didn't work, sorted. One stays until its own maintenance is
	// over: its members may work now and then meanwhile.
	Hosts []string
	// NomadUnknown is true while Nomad can't be asked, and members should join. Those that had joined have no such time:
	// when Nomad is known again, the time for which they don't work begins by itself.
	NomadUnknown bool
	// Resumed is when one of these was over last; zero: none was.
	Resumed time.Time
}

// open reports whether something goes on whose end is found by observing the hosts.
func (u Suspension) open() bool { return u.Upgrading || len(u.Hosts) > 0 }

// Update returns the suspension as it is now. While the hosts aren't observed what they are in stays as it is, and so
// does what is known of Nomad while this process hasn't asked it yet.
func (u Suspension) Update(s Snapshot) Suspension {
	now := u
	if !s.NomadNotAsked {
		now.NomadUnknown = !s.NomadKnown && awaitsJoins(s)
	}
	ended := u.NomadUnknown && s.NomadKnown
	if s.HostsKnown {
		now.Upgrading, now.Hosts = s.Upgrade != nil, s.HostsInMaintenance
		over := func(host string) bool { return !slices.Contains(now.Hosts, host) }
		ended = ended || u.Upgrading && !now.Upgrading || slices.ContainsFunc(u.Hosts, over)
	}
	if ended {
		now.Resumed = s.Now.Truncate(time.Second)
	}
	return now
}

// awaitsJoins reports whether the time to join runs for some members. It does for those whose guests work as nodes of
// other IDs, and it counts as soon as none of these is to be seen any more. It begins anew when there is capacity.
func awaitsJoins(s Snapshot) bool {
	return slices.ContainsFunc(s.Members, func(m Member) bool {
		runs := m.Blocked == nil || m.Blocked.By == v1alpha1.BlockedByOtherNode
		return m.VMMade && !m.Joined && !m.Leaving && runs
	})
}

// Resumed returns the snapshot in which the timeouts of members to join, or to work again, began anew when the last
// suspension was over. It copies the members only if that changes one.
func (s Snapshot) Resumed() Snapshot {
	from, copied := s.Suspension.Resumed, false
	if from.IsZero() {
		return s
	}
	for i, m := range s.Members {
		resumed := m.resumed(from, s.Now, s.Health.JoinTimeout.Duration)
		if resumed == m {
			continue
		}
		if !copied {
			s.Members, copied = slices.Clone(s.Members), true
		}
		s.Members[i] = resumed
	}
	return s
}

// resumed is the member with timeouts that began at from, unless they began later.
func (m Member) resumed(from, now time.Time, joinTimeout time.Duration) Member {
	if until := from.Add(joinTimeout); m.JoinExpired && m.JoinDeadline.Before(until) {
		m.JoinDeadline, m.JoinExpired = until, !now.Before(until)
	}
	if !m.UnhealthyTime.IsZero() && m.UnhealthyTime.Before(from) {
		m.UnhealthyTime = from
	}
	return m
}
