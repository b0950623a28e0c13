package pool

import (
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Quota is what the quotas of the pool's namespace leave for new members, as far as that can be known before they are
// made.
type Quota struct {
	// Room is how many more VMs like the template's there is room for, without regard to members that have no VM yet.
	Room int
	// Problem names the quota that has the least room.
	Problem condition.Problem
}

// NeedsQuota is true when members are to be made. Only then it matters what the quotas leave: that one is full
// because of the pool's own members is no problem while there are enough of them.
func NeedsQuota(s Snapshot) bool {
	return !s.Deleting && !s.Paused && len(s.Problems) == 0 && wanted(s) > 0
}

// wanted is how many members are to be made, and not called back.
func wanted(s Snapshot) int {
	n := missing(s)
	if n > 0 && s.NomadKnown {
		n -= len(rescuable(s, n))
	}
	return n
}

// fit is for how many of n new members there is room, and if that isn't all of them, why. Harvester admits a VM above
// its namespace's quota, and then halts it.
func fit(s Snapshot, n int) (int, *condition.Problem) {
	if s.Quota == nil || n <= 0 {
		return n, nil
	}
	room := s.Quota.Room
	for _, m := range s.active() {
		if !m.VMMade {
			room--
		}
	}
	if room = max(room, 0); room >= n {
		return n, nil
	}
	return room, &s.Quota.Problem
}
