package pool

import "github.com/nomad-harvester/nomad-harvester/api/v1alpha1"

// GrowthBlockedBy is the kind of thing for which members that are missing, or would be if replicas were raised, don't
// come until somebody mends it; empty: nothing is in their way, or nothing that doesn't pass by itself. The
// conditions say the same in words.
func GrowthBlockedBy(s Snapshot, p Plan, o Outcome) v1alpha1.BlockedCause {
	ofTemplate, lacks := s.blocked(templatesProblem), s.blocked(anyProblem)
	_, full := fit(s, wanted(s))
	switch {
	case s.Paused:
		return v1alpha1.BlockedByPause
	case len(s.Problems) > 0:
		return v1alpha1.BlockedByTemplate
	case ofTemplate != nil:
		return ofTemplate.By
	case full != nil:
		return v1alpha1.BlockedByQuota
	case s.Joins.BreakerOpen():
		return v1alpha1.BlockedByJoins // more would only cost: their VMs run and take no work
	case o.CreateError != nil:
		return v1alpha1.BlockedByFailure
	case p.HoldOut != nil:
		return p.HoldOut.By
	case p.Create == 0 && len(p.CancelDrains) == 0 && lacks != nil:
		return lacks.By
	default:
		return ""
	}
}
