package pool

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// stalled says that a pool gets no further until a person acts, in the words of the condition that explains it. A
// pause and an order to keep members are what a person wants. Hosts and quotas that are full are waited for: what
// takes up their capacity may go by itself.
func stalled(s Snapshot, o Outcome, all map[string]metav1.Condition) metav1.Condition {
	lacks := s.blocked(needsPerson(s))
	because := metav1.Condition{}
	switch {
	case s.Deleting:
		// Its members tell.
	case len(s.Problems) > 0 || s.blocked(templateStalls) != nil:
		because = all[v1alpha1.PoolTemplateValid]
	case s.NomadMisconfigured:
		because = all[v1alpha1.PoolNomadReachable]
	case s.Joins.BreakerOpen():
		because = all[v1alpha1.PoolJoinsHealthy]
	case o.CreateError != nil:
		return o.CreateError.True()
	case lacks != nil:
		return lacks.True()
	}
	if because.Status == metav1.ConditionFalse {
		because.Status = metav1.ConditionTrue
		return because
	}
	return condition.False(v1alpha1.ReasonAsExpected, "Nothing waits for a person.")
}

// templateStalls is true for a member of which no VM can be made until the template, or what it names, is mended.
func templateStalls(m Member) bool {
	return nodestate.NeedsPerson(m.Blocked.By, true) && ofTemplate(m.Blocked.By)
}

// needsPerson is true for a member that waits for a person. One whose VM's name is taken is replaced by the pool.
func needsPerson(s Snapshot) func(Member) bool {
	return func(m Member) bool { return !nameTaken(m) && nodestate.NeedsPerson(m.Blocked.By, s.NomadKnown) }
}
