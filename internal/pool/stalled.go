package pool

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// stalled reports whether a pool gets no further until a person acts, in the words of the condition that explains it. A
// pause, and members that are protected, are what a person wants. Hosts and quotas that are full are waited for: what
// takes up their capacity may go by itself.
func stalled(x *index, o Outcome, all map[string]metav1.Condition) metav1.Condition {
	lacks := x.firstBlocked(x.needsPerson)
	because := metav1.Condition{}
	switch {
	case x.Deleting:
		if problem := keptFromGoing(x); problem != nil {
			return problem.True()
		}
		// Otherwise its members' conditions explain it.
	case slices.ContainsFunc(x.Problems, needsMending) || x.firstBlocked(templateStalls) != nil:
		because = all[v1alpha1.PoolTemplateValid]
	case x.NomadMisconfigured:
		because = all[v1alpha1.PoolNomadReachable]
	case x.Joins.BreakerOpen():
		because = all[v1alpha1.PoolJoinsHealthy]
	case o.CreateError != nil && o.CreateError.NeedsPerson(x.NomadKnown):
		return o.CreateError.True()
	case lacks != nil:
		return lacks.True()
	case len(x.halted) > 0:
		return vmHalted(x.halted[0]).True()
	}
	if because.Status == metav1.ConditionFalse {
		because.Status = metav1.ConditionTrue
		return because
	}
	return condition.False(v1alpha1.ReasonAsExpected, "Nothing waits for a person.")
}

// templateStalls reports whether no VM can be made of a member until the template, or what it names, is mended.
func templateStalls(m *Member) bool {
	return m.Blocked.NeedsPerson(true) && blockedByTemplate(m)
}

// needsMending reports whether a problem with the template doesn't pass by itself.
func needsMending(p condition.Problem) bool {
	return nodestate.Blocked{By: v1alpha1.BlockedByTemplate, Problem: p}.NeedsPerson(true)
}

// needsPerson reports whether a member waits for a person. One whose VM's name is taken is replaced by the pool.
func (x *index) needsPerson(m *Member) bool {
	return !nameTaken(m) && m.Blocked.NeedsPerson(x.NomadKnown)
}

// vmHalted is the problem of a member whose VM somebody has halted: it comes back when somebody starts it.
func vmHalted(m *Member) condition.Problem {
	return condition.Problem{Reason: v1alpha1.ReasonVMStopped, Message: fmt.Sprintf(
		"The VM of member %s is halted; somebody stopped it, or host maintenance did. Start it, or delete its NomadNode to "+
			"have it replaced.", m.Name)}
}
