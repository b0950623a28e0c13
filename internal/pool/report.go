package pool

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Counts are the numbers of a pool's status.
type Counts struct{ Replicas, Ready, Updated, Joining, Draining, Unhealthy int }

// Count counts the members.
func Count(s Snapshot) Counts { return newIndex(s).counts() }

func (x *index) counts() Counts {
	c := Counts{Replicas: len(x.active), Updated: len(x.updated), Draining: len(x.Members) - len(x.active)}
	for _, m := range x.active {
		switch {
		case m.Ready, m.WorkedLast:
			c.Ready++
		case m.isJoining():
			c.Joining++
		default:
			c.Unhealthy++
		}
	}
	return c
}

// Conditions describes a pool after what came of its plan. Messages hold no counters and no times: a steady pool
// writes nothing.
func Conditions(s Snapshot, p Plan, o Outcome) map[string]metav1.Condition {
	x := newIndex(s)
	c := x.counts()
	out := map[string]metav1.Condition{
		v1alpha1.PoolScalingOut:     scalingOut(x, p, o, c),
		v1alpha1.PoolScalingIn:      scalingIn(p, c),
		v1alpha1.PoolUpToDate:       upToDate(x, p, c),
		v1alpha1.PoolNomadReachable: nomadReachable(x),
		v1alpha1.PoolJoinsHealthy:   joinsHealthy(x, p),
		v1alpha1.PoolTemplateValid:  templateValid(x),
		v1alpha1.PoolPaused:         paused(x),
	}
	out[v1alpha1.PoolReady] = ready(x, p, o, c, out)
	out[v1alpha1.PoolStalled] = stalled(x, o, out)
	return out
}

func nomadReachable(x *index) metav1.Condition {
	switch {
	case x.NomadKnown:
		return condition.True(x.NomadReason, x.NomadMessage+withoutTLS(x))
	case x.UsageUnknown: // one question without an answer says nothing about the next
		return condition.True(x.NomadReason, "Nomad answers."+withoutTLS(x))
	case x.NomadNotAsked:
		return condition.Unknown(x.NomadReason, x.NomadMessage)
	default:
		return condition.False(x.NomadReason, x.NomadMessage)
	}
}

// withoutTLS says what nobody would notice: all works without it.
func withoutTLS(x *index) string {
	if !x.WithoutTLS {
		return ""
	}
	return " New members talk to its servers in plain text, unless a file of the template sets tls: " +
		"spec.nomad.clientTLSSecretRef isn't set."
}

func scalingOut(x *index, p Plan, o Outcome, c Counts) metav1.Condition {
	problem := x.firstProblem(anyMember)
	switch {
	case o.CreateError != nil:
		return o.CreateError.True()
	case p.ScaleOutBlocked != nil:
		return p.ScaleOutBlocked.True()
	case p.Create > 0 || len(p.CancelDrains) > 0:
		return condition.True(v1alpha1.ReasonCreating, "Members are being made, or their drains canceled.")
	case problem != nil:
		return problem.True()
	case x.Joins.BreakerOpen() && c.Ready < x.Replicas:
		return blockedByJoins.True()
	case c.Joining > 0 && !x.NomadKnown:
		return condition.True(v1alpha1.ReasonJoining, "Members were made, and can't be seen to join: "+x.NomadMessage)
	case c.Joining > 0:
		return condition.True(v1alpha1.ReasonJoining, "Members are on their way to join Nomad; see kubectl get nn.")
	default:
		return condition.False(v1alpha1.ReasonAsExpected, "No member has to be made, and none is on its way to join Nomad.")
	}
}

func scalingIn(p Plan, c Counts) metav1.Condition {
	switch {
	case p.ScaleInBlocked != nil:
		return p.ScaleInBlocked.True()
	case c.Draining > 0 || len(p.Victims) > 0:
		return condition.True(v1alpha1.ReasonDraining, "Members are draining or being removed; see kubectl get nn.")
	default:
		return condition.False(v1alpha1.ReasonAsExpected, "No member is leaving.")
	}
}

func upToDate(x *index, p Plan, c Counts) metav1.Condition {
	switch {
	case x.ServersLeadTo != "":
		return condition.False(v1alpha1.ReasonServersElsewhere, "Members have joined the Nomad at "+x.ServersLeadTo+
			", because spec.nomad.servers lead to it, and spec.nomad.address leads to another. They work on there, and new "+
			"ones will join it too. Change the one of the two that is wrong.")
	case len(x.expiring) > 0 && len(x.outdated) == 0: // or they are being replaced
		return certificateExpires(x.expiring[0])
	case c.Updated == c.Replicas:
		return condition.True(v1alpha1.ReasonAsExpected,
			"Every member that isn't leaving was made from the present template, and none is to be replaced for its age.")
	case x.Rollout.Type == v1alpha1.OnDelete:
		return condition.False(v1alpha1.ReasonOnDelete, "Some members "+whyOutdated(x)+
			". rollout.type is OnDelete: they stay until they leave; delete a NomadNode to have it replaced.")
	case p.RolloutBlocked != nil:
		return p.RolloutBlocked.False()
	case len(x.outdated) == 0:
		return condition.False(v1alpha1.ReasonAllProtected, "The members that "+whyOutdated(x)+
			" carry the annotation "+v1alpha1.ProtectAnnotation+", so they stay. To have one replaced: "+
			"kubectl annotate nn MEMBER "+v1alpha1.ProtectAnnotation+"-")
	default:
		return condition.False(v1alpha1.ReasonRollingOut, "Members that "+whyOutdated(x)+
			" are being replaced; status.updatedReplicas and kubectl get nn -o wide show how far it is.")
	}
}

// whyOutdated returns the words on why members are outdated.
func whyOutdated(x *index) string {
	if slices.ContainsFunc(x.active, func(m *Member) bool { return m.Revision != x.Revision }) {
		return "were made from an older template"
	}
	if slices.ContainsFunc(x.active, func(m *Member) bool { return m.Elsewhere }) {
		return "are in another Nomad cluster than spec.nomad leads to"
	}
	return "were made before rollout.restartedAt or are older than rollout.maxAge"
}

// leavesFor reports whether a member leaves for that reason.
func leavesFor(x *index, reason v1alpha1.DrainReason) bool {
	return slices.ContainsFunc(x.Members, func(m Member) bool { return m.Leaving && m.LeavingReason == reason })
}

func templateValid(x *index) metav1.Condition {
	if len(x.Problems) > 0 {
		return condition.False(x.Problems[0].Reason, joinMessages(x.Problems))
	}
	if p := x.firstProblem(blockedByTemplate); p != nil {
		return p.False()
	}
	if _, p := fitQuota(x, x.wanted); p != nil {
		return p.False()
	}
	return condition.True(v1alpha1.ReasonAsExpected, "Everything that the template names exists, and no VM was refused.")
}

func paused(x *index) metav1.Condition {
	if x.Paused {
		return condition.True(v1alpha1.ReasonPaused, "spec.paused is true: no member is made, chosen to leave or replaced.")
	}
	return condition.False(v1alpha1.ReasonAsExpected, "spec.paused is not set.")
}

// removing tells what becomes of a pool that is being deleted.
func removing(x *index) metav1.Condition {
	if problem := keptFromGoing(x); problem != nil {
		return problem.False()
	}
	return condition.False(v1alpha1.ReasonRemoving, "The pool is being deleted; its members drain.")
}

// keptFromGoing is the problem of a pool that somebody's finalizers keep while its members work on; nil: there is none.
func keptFromGoing(x *index) *condition.Problem {
	if len(x.KeptBy) == 0 || len(x.active) == 0 {
		return nil
	}
	return &condition.Problem{Reason: v1alpha1.ReasonDeleteStuck, Message: fmt.Sprintf(
		"The pool is to be deleted, but the finalizers %s keep it. Kubernetes deletes its members after it, so they work on "+
			"until then. Look for the controllers that set these.", strings.Join(x.KeptBy, ", "))}
}

// ready sums the other conditions up. What an operator must act on comes first.
func ready(x *index, p Plan, o Outcome, c Counts, all map[string]metav1.Condition) metav1.Condition {
	if x.Deleting {
		return removing(x)
	}
	for _, t := range []string{v1alpha1.PoolTemplateValid, v1alpha1.PoolNomadReachable, v1alpha1.PoolJoinsHealthy} {
		if all[t].Status != metav1.ConditionTrue && (t != v1alpha1.PoolJoinsHealthy || joinsFail(x)) {
			return condition.False(all[t].Reason, all[t].Message)
		}
	}
	if o.CreateError != nil {
		return o.CreateError.False()
	}
	if problem := x.firstProblem(anyMember); problem != nil {
		return problem.False()
	}
	if x.Paused && c.Ready < x.Replicas || x.Paused && c.Replicas > x.Replicas {
		return condition.False(v1alpha1.ReasonPaused, "spec.paused holds the pool, which isn't as replicas ask.")
	}
	for _, problem := range []*condition.Problem{p.RepairBlocked, elsewhereUnknown(x)} {
		if problem != nil {
			return problem.False()
		}
	}
	if c.Ready < x.Replicas {
		return tooFewReady(x, p, c)
	}
	return enoughReady(x, p, c)
}

// elsewhereUnknown is the problem of members whose Nomad, which isn't the pool's, can't be asked; nil: there are none.
func elsewhereUnknown(x *index) *condition.Problem {
	if !x.NomadKnown ||
		!slices.ContainsFunc(x.active, func(m *Member) bool { return m.NomadUnknown && !m.NomadNotAsked }) {
		return nil
	}
	return nomadOfMembersUnknown
}

// tooFewReady describes a pool that has fewer ready members than replicas.
func tooFewReady(x *index, p Plan, c Counts) metav1.Condition {
	switch {
	case len(p.Unhealthy) > 0 || leavesFor(x, v1alpha1.DrainUnhealthy):
		return condition.False(v1alpha1.ReasonRepairing,
			"A member that no longer works is being replaced; see kubectl get nn.")
	case c.Joining > 0 || p.Create > 0:
		return condition.False(v1alpha1.ReasonJoining, "Members are on their way to join Nomad.")
	case len(x.halted) > 0:
		return vmHalted(x.halted[0]).False()
	case c.Replicas < x.Replicas:
		return condition.False(v1alpha1.ReasonMembersMissing,
			fmt.Sprintf("Fewer than %d members are ready in Nomad; see kubectl get nn.", x.Replicas))
	default:
		return condition.False(v1alpha1.ReasonMembersNotReady,
			fmt.Sprintf("Fewer than %d members are ready in Nomad, and none has to be made: some don't take work; "+
				"see kubectl get nn.", x.Replicas))
	}
}

// enoughReady describes a pool that has as many ready members as replicas.
func enoughReady(x *index, p Plan, c Counts) metav1.Condition {
	switch {
	case len(x.outdated) > 0 && p.RolloutBlocked == nil:
		return condition.True(v1alpha1.ReasonRollingOut,
			"As many members are ready as asked for; those that are outdated are being replaced.")
	case c.Joining > 0 || p.Create > 0:
		return condition.False(v1alpha1.ReasonJoining, "Members are on their way to join Nomad.")
	case p.ScaleInBlocked != nil && c.Draining == 0:
		return condition.True(p.ScaleInBlocked.Reason,
			"As many members are ready as asked for; the surplus stays for now. "+p.ScaleInBlocked.Message)
	case c.Draining > 0 || len(p.Victims) > 0:
		return condition.True(v1alpha1.ReasonMembersDraining, "As many members are ready as asked for; others are leaving.")
	default:
		return condition.True(v1alpha1.ReasonAsExpected, "As many members are ready in Nomad as asked for.")
	}
}
