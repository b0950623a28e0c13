package pool

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Counts are the numbers of a pool's status.
type Counts struct{ Replicas, Ready, Updated, Joining, Draining, Unhealthy int }

// Count counts the members.
func Count(s Snapshot) Counts {
	var c Counts
	for _, m := range s.Members {
		if m.Leaving {
			c.Draining++
			continue
		}
		c.Replicas++
		if s.upToDate(m) {
			c.Updated++
		}
		switch {
		case m.Ready:
			c.Ready++
		case m.Joined || m.JoinExpired || m.Blocked != nil:
			c.Unhealthy++
		default:
			c.Joining++
		}
	}
	return c
}

// Conditions describes a pool after what came of its plan. Messages hold no counters and no times: a steady pool
// writes nothing.
func Conditions(s Snapshot, p Plan, o Outcome) map[string]metav1.Condition {
	c := Count(s)
	out := map[string]metav1.Condition{v1alpha1.PoolScalingOut: scalingOut(s, p, o, c),
		v1alpha1.PoolScalingIn: scalingIn(p, c), v1alpha1.PoolUpToDate: upToDate(s, p, c),
		v1alpha1.PoolNomadReachable: nomadReachable(s), v1alpha1.PoolJoinsHealthy: joinsHealthy(s, p),
		v1alpha1.PoolTemplateValid: templateValid(s), v1alpha1.PoolPaused: paused(s)}
	out[v1alpha1.PoolReady] = ready(s, p, o, c, out)
	out[v1alpha1.PoolStalled] = stalled(s, o, out)
	return out
}

func nomadReachable(s Snapshot) metav1.Condition {
	switch {
	case s.NomadKnown:
		return condition.True(s.NomadReason, s.NomadMessage)
	case s.UsageUnknown: // one question that was not answered says nothing of the next
		return condition.True(s.NomadReason, "Nomad answers.")
	case s.NomadNotAsked:
		return condition.Unknown(s.NomadReason, s.NomadMessage)
	default:
		return condition.False(s.NomadReason, s.NomadMessage)
	}
}

func scalingOut(s Snapshot, p Plan, o Outcome, c Counts) metav1.Condition {
	lacks := s.refused(anyProblem)
	switch {
	case o.CreateError != nil:
		return o.CreateError.True()
	case p.HoldOut != nil:
		return p.HoldOut.True()
	case p.Create > 0 || len(p.CancelDrains) > 0:
		return condition.True(v1alpha1.ReasonCreating, "Members are being made, or called back from leaving.")
	case lacks != nil:
		return lacks.True()
	case s.Joins.BreakerOpen() && c.Ready < s.Replicas:
		return joinsFailing.True()
	case c.Joining > 0 && !s.NomadKnown:
		return condition.True(v1alpha1.ReasonJoining, "Members were made, and can't be seen to join: "+s.NomadMessage)
	case c.Joining > 0:
		return condition.True(v1alpha1.ReasonJoining, "Members are on their way to join Nomad; see kubectl get nn.")
	default:
		return condition.False(v1alpha1.ReasonAsExpected, "No member has to be made, and none is on its way to join Nomad.")
	}
}

func scalingIn(p Plan, c Counts) metav1.Condition {
	switch {
	case p.HoldIn != nil:
		return p.HoldIn.True()
	case c.Draining > 0 || len(p.Victims) > 0:
		return condition.True(v1alpha1.ReasonDraining, "Members are draining or being removed; see kubectl get nn.")
	default:
		return condition.False(v1alpha1.ReasonAsExpected, "No member is leaving.")
	}
}

func upToDate(s Snapshot, p Plan, c Counts) metav1.Condition {
	switch {
	case c.Updated == c.Replicas:
		return condition.True(v1alpha1.ReasonAsExpected,
			"Every member was made from the present template, and none is to be replaced for its age.")
	case s.Rollout.Type == v1alpha1.OnDelete:
		return condition.False(
			v1alpha1.ReasonOnDelete,
			"Some members "+because(
				s)+". rollout.type is OnDelete: they stay until they leave; delete a NomadNode to have it replaced.",
		)
	case p.HoldRollout != nil:
		return p.HoldRollout.False()
	case len(outdated(s)) == 0:
		return condition.False(
			v1alpha1.ReasonAllProtected,
			"The members that "+because(
				s)+" carry the annotation "+v1alpha1.ProtectAnnotation+", so they stay. To have one replaced: kubectl annotate nn MEMBER "+v1alpha1.ProtectAnnotation+"-",
		)
	default:
		return condition.False(
			v1alpha1.ReasonRollingOut,
			"Members that "+because(
				s)+" are being replaced; status.updatedReplicas and kubectl get nn -o wide show how far it is.",
		)
	}
}

// because says why members are outdated.
func because(s Snapshot) string {
	if slices.ContainsFunc(s.active(), func(m Member) bool { return m.Revision != s.Revision }) {
		return "were made from an older template"
	}
	if slices.ContainsFunc(s.active(), func(m Member) bool { return m.Elsewhere }) {
		return "are in another Nomad cluster than spec.nomad leads to"
	}
	return "were made before rollout.restartedAt or are older than rollout.maxAge"
}

func leavesFor(s Snapshot, reason v1alpha1.DrainReason) bool {
	return slices.ContainsFunc(s.Members, func(m Member) bool { return m.Leaving && m.LeavingReason == reason })
}

func templateValid(s Snapshot) metav1.Condition {
	if len(s.Problems) > 0 {
		return condition.False(s.Problems[0].Reason, joinMessages(s.Problems))
	}
	if p := s.refused(templatesProblem); p != nil {
		return p.False()
	}
	if _, p := fit(s, wanted(s)); p != nil {
		return p.False()
	}
	return condition.True(v1alpha1.ReasonAsExpected, "Everything that the template names exists, and no VM was refused.")
}

func paused(s Snapshot) metav1.Condition {
	if s.Paused {
		return condition.True(v1alpha1.ReasonPaused, "spec.paused is true: no member is made, chosen to leave or replaced.")
	}
	return condition.False(v1alpha1.ReasonAsExpected, "The pool is kept true.")
}

// ready sums up. What an operator must act on comes first.
func ready(s Snapshot, p Plan, o Outcome, c Counts, all map[string]metav1.Condition) metav1.Condition {
	if s.Deleting {
		return condition.False(v1alpha1.ReasonRemoving, "The pool is being deleted; its members drain.")
	}
	for _, t := range []string{v1alpha1.PoolTemplateValid, v1alpha1.PoolNomadReachable, v1alpha1.PoolJoinsHealthy} {
		if all[t].Status != metav1.ConditionTrue && (t != v1alpha1.PoolJoinsHealthy || joinsFail(s)) {
			return condition.False(all[t].Reason, all[t].Message)
		}
	}
	if o.CreateError != nil {
		return o.CreateError.False()
	}
	if lacks := s.refused(anyProblem); lacks != nil {
		return lacks.False()
	}
	if s.Paused && c.Ready < s.Replicas || s.Paused && c.Replicas > s.Replicas {
		return condition.False(v1alpha1.ReasonPaused, "spec.paused holds the pool, which isn't as replicas ask.")
	}
	if p.HoldRepair != nil {
		return p.HoldRepair.False()
	}
	if c.Ready < s.Replicas {
		return short(s, p, c)
	}
	return full(s, p, c)
}

// short describes a pool that has fewer ready members than replicas.
func short(s Snapshot, p Plan, c Counts) metav1.Condition {
	switch {
	case len(p.Unhealthy) > 0 || leavesFor(s, v1alpha1.DrainUnhealthy):
		return condition.False(v1alpha1.ReasonRepairing,
			"A member that no longer works is being replaced; see kubectl get nn.")
	case c.Joining > 0 || p.Create > 0:
		return condition.False(v1alpha1.ReasonJoining, "Members are on their way to join Nomad.")
	default:
		return condition.False(v1alpha1.ReasonMembersMissing,
			fmt.Sprintf("Fewer than %d members are ready in Nomad; see kubectl get nn.", s.Replicas))
	}
}

// full describes a pool that has as many ready members as replicas.
func full(s Snapshot, p Plan, c Counts) metav1.Condition {
	switch {
	case len(outdated(s)) > 0 && p.HoldRollout == nil:
		return condition.True(v1alpha1.ReasonRollingOut,
			"As many members are ready as asked for; those that are outdated are being replaced.")
	case c.Joining > 0 || p.Create > 0:
		return condition.False(v1alpha1.ReasonJoining, "Members are on their way to join Nomad.")
	case p.HoldIn != nil && c.Draining == 0:
		return condition.True(p.HoldIn.Reason,
			"As many members are ready as asked for; the surplus stays for now. "+p.HoldIn.Message)
	case c.Draining > 0 || len(p.Victims) > 0:
		return condition.True(v1alpha1.ReasonMembersDraining, "As many members are ready as asked for; others are leaving.")
	default:
		return condition.True(v1alpha1.ReasonAsExpected, "As many members are ready in Nomad as asked for.")
	}
}
