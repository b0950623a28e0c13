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
	return !s.Deleting && !s.Paused && len(s.Problems) == 0 && newIndex(s).wanted > 0
}

// fit is for how many of n new members there is room, and if that isn't all of them, why. Harvester admits a VM above
// its namespace's quota, and then halts it.
func fit(x *index, n int) (int, *condition.Problem) {
	if x.Quota == nil || n <= 0 {
		return n, nil
	}
	room := max(x.Quota.Room-len(x.withoutVM), 0)
	if room >= n {
		return n, nil
	}
	return room, &x.Quota.Problem
}
