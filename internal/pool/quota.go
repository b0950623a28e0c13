package pool

import (
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Quota is what the quotas of the pool's namespace leave for new members, as far as that can be known before they are
// made.
type Quota struct {
	// Capacity is how many more VMs like the template's fit, without regard to members that have no VM yet.
	Capacity int
	// Problem names the quota that leaves the least.
	Problem condition.Problem
}

// MakesMembers reports whether members are to be made, if nothing blocks that: the pool has fewer than its replicas, or
// replaces some.
func MakesMembers(s Snapshot) bool { return newIndex(s).wanted > 0 }

// NeedsQuota reports whether members are to be made. Only then the quotas matter: one that is full because of the
// pool's own members is no problem while there are enough of them.
func NeedsQuota(s Snapshot) bool {
	return !s.Deleting && !s.Paused && len(s.Problems) == 0 && MakesMembers(s)
}

// fitQuota returns how many of n new members fit into the quotas, and if these aren't all, why. Harvester admits a VM
// above its namespace's quota, and then halts it.
func fitQuota(x *index, n int) (int, *condition.Problem) {
	if x.Quota == nil {
		return n, nil
	}
	capacity := max(x.Quota.Capacity-len(x.withoutVM), 0)
	if capacity >= n {
		return n, nil
	}
	return capacity, &x.Quota.Problem
}
