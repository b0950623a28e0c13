package pool

import "github.com/nomad-harvester/nomad-harvester/api/v1alpha1"

// GrowthBlockedBy returns what blocks members that are missing, or would be if replicas were raised, until somebody
// mends it; empty: nothing, or nothing that doesn't pass by itself. The conditions say the same in words.
func GrowthBlockedBy(s Snapshot, p Plan, o Outcome) v1alpha1.BlockedCause {
	x := newIndex(s)
	ofTemplate, ofAny := x.firstBlocked(blockedByTemplate), x.firstBlocked(mayBlockGrowth)
	_, quotaFull := fitQuota(x, x.wanted)
	switch {
	case s.Paused:
		return v1alpha1.BlockedByPause
	case len(s.Problems) > 0:
		return v1alpha1.BlockedByTemplate
	case ofTemplate != nil:
		return ofTemplate.By
	case quotaFull != nil:
		return v1alpha1.BlockedByQuota
	case s.Joins.BreakerOpen():
		return v1alpha1.BlockedByJoins // more would only cost: their VMs run and take no work
	case o.CreateError != nil:
		return v1alpha1.BlockedByFailure
	case p.ScaleOutBlocked != nil:
		return p.ScaleOutBlocked.By
	case p.Create == 0 && len(p.CancelDrains) == 0 && ofAny != nil:
		return ofAny.By
	default:
		return ""
	}
}

// mayBlockGrowth is true for all but a member whose guest works under another ID: that one's place is taken, and says
// nothing of others.
func mayBlockGrowth(m *Member) bool { return !m.worksUnderOtherID() }
