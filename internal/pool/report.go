package pool

import (
	"fmt"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
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
		case m.Joined || m.JoinExpired || m.Problem != nil:
			c.Unhealthy++
		default:
			c.Joining++
		}
	}
	return c
}

// Condition is the state of a condition.
type Condition struct {
	True            bool
	Unknown         bool
	Reason, Message string
}

// Conditions describes a pool. Messages hold no counters and no times: a steady pool writes nothing.
func Conditions(s Snapshot, p Plan) map[string]Condition {
	c := Count(s)
	out := map[string]Condition{
		v1alpha1.PoolScalingOut:          scalingOut(s, p, c),
		v1alpha1.PoolScalingIn:           scalingIn(p, c),
		v1alpha1.PoolUpToDate:            upToDate(s, p, c),
		v1alpha1.PoolNomadReachable:      {True: s.NomadKnown, Unknown: s.NomadReason == v1alpha1.ReasonUnknown, Reason: s.NomadReason, Message: s.NomadMessage},
		v1alpha1.PoolRegistrationHealthy: registration(s, p),
		v1alpha1.PoolTemplateValid:       templateValid(s),
		v1alpha1.PoolPaused:              paused(s),
	}
	out[v1alpha1.PoolReady] = ready(s, p, c, out)
	return out
}

func scalingOut(s Snapshot, p Plan, c Counts) Condition {
	lacks := s.refused(anyProblem)
	switch {
	case s.CreateError != nil:
		return Condition{True: true, Reason: s.CreateError.Reason, Message: s.CreateError.Message}
	case p.HoldOut != nil:
		return Condition{True: true, Reason: p.HoldOut.Reason, Message: p.HoldOut.Message}
	case p.Create > 0 || len(p.Rescue) > 0:
		return Condition{True: true, Reason: v1alpha1.ReasonCreating, Message: "Members are being made, or called back from leaving."}
	case lacks != nil:
		return Condition{True: true, Reason: lacks.Reason, Message: lacks.Message}
	case c.Joining > 0:
		return Condition{True: true, Reason: v1alpha1.ReasonJoining, Message: "Members are on their way to join Nomad; see kubectl get nn."}
	default:
		return Condition{Reason: v1alpha1.ReasonAsWanted, Message: "No member is missing or on its way."}
	}
}

func scalingIn(p Plan, c Counts) Condition {
	switch {
	case p.HoldIn != nil:
		return Condition{True: true, Reason: p.HoldIn.Reason, Message: p.HoldIn.Message}
	case c.Draining > 0 || len(p.Victims) > 0:
		return Condition{True: true, Reason: v1alpha1.ReasonDraining, Message: "Members are draining or being removed; see kubectl get nn."}
	default:
		return Condition{Reason: v1alpha1.ReasonAsWanted, Message: "No member is leaving."}
	}
}

func upToDate(s Snapshot, p Plan, c Counts) Condition {
	switch {
	case c.Updated == c.Replicas:
		return Condition{True: true, Reason: v1alpha1.ReasonAsWanted, Message: "Every member was made from the present template, and none is to be replaced for its age."}
	case s.Rollout.Type == v1alpha1.OnDelete:
		return Condition{Reason: v1alpha1.ReasonOnDelete, Message: "Some members " + because(s) + ". rollout.type is OnDelete: they stay until they leave; delete a NomadNode to have it replaced."}
	case p.HoldRollout != nil:
		return Condition{Reason: p.HoldRollout.Reason, Message: p.HoldRollout.Message}
	case len(outdated(s)) == 0:
		return Condition{Reason: v1alpha1.ReasonAllProtected, Message: "The members that " + because(s) + " carry the annotation " + v1alpha1.ProtectAnnotation + ", so they stay."}
	default:
		return Condition{Reason: v1alpha1.ReasonRollingOut, Message: "Members that " + because(s) + " are being replaced; status.updatedReplicas and kubectl get nn -o wide show how far it is."}
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

func templateValid(s Snapshot) Condition {
	if len(s.Problems) > 0 {
		return Condition{Reason: s.Problems[0].Reason, Message: joinMessages(s.Problems)}
	}
	if p := s.refused(func(m Member) bool { return ofTemplate[m.Problem.Reason] }); p != nil {
		return Condition{Reason: p.Reason, Message: p.Message}
	}
	if _, p := fit(s, wanted(s)); p != nil {
		return Condition{Reason: p.Reason, Message: p.Message}
	}
	return Condition{True: true, Reason: v1alpha1.ReasonAsWanted, Message: "Everything that the template names exists, and no VM was refused."}
}

func paused(s Snapshot) Condition {
	if s.Paused {
		return Condition{True: true, Reason: v1alpha1.ReasonPaused, Message: "spec.paused is true: no member is made, chosen to leave or replaced."}
	}
	return Condition{Reason: v1alpha1.ReasonAsWanted, Message: "The pool is kept true."}
}

// ready sums up. What an operator must act on comes first.
func ready(s Snapshot, p Plan, c Counts, all map[string]Condition) Condition {
	if s.Deleting {
		return Condition{Reason: v1alpha1.ReasonRemoving, Message: "The pool is being deleted; its members drain."}
	}
	for _, t := range []string{v1alpha1.PoolTemplateValid, v1alpha1.PoolNomadReachable, v1alpha1.PoolRegistrationHealthy} {
		if !all[t].True && (t != v1alpha1.PoolRegistrationHealthy || joinsFail(s)) {
			return Condition{Reason: all[t].Reason, Message: all[t].Message}
		}
	}
	if s.CreateError != nil {
		return Condition{Reason: s.CreateError.Reason, Message: s.CreateError.Message}
	}
	if lacks := s.refused(anyProblem); lacks != nil {
		return Condition{Reason: lacks.Reason, Message: lacks.Message}
	}
	if s.Paused && c.Ready < s.Replicas || s.Paused && c.Replicas > s.Replicas {
		return Condition{Reason: v1alpha1.ReasonPaused, Message: "spec.paused holds the pool, which isn't as replicas ask."}
	}
	if p.HoldRepair != nil {
		return Condition{Reason: p.HoldRepair.Reason, Message: p.HoldRepair.Message}
	}
	if c.Ready < s.Replicas {
		return short(s, p, c)
	}
	return full(s, p, c)
}

// short describes a pool that has fewer ready members than replicas.
func short(s Snapshot, p Plan, c Counts) Condition {
	switch {
	case len(p.Unhealthy) > 0 || leavesFor(s, v1alpha1.DrainUnhealthy):
		return Condition{Reason: v1alpha1.ReasonRepairing, Message: "A member that no longer works is being replaced; see kubectl get nn."}
	case c.Joining > 0 || p.Create > 0:
		return Condition{Reason: v1alpha1.ReasonJoining, Message: "Members are on their way to join Nomad."}
	default:
		return Condition{Reason: v1alpha1.ReasonMembersMissing, Message: fmt.Sprintf("Fewer than %d members are ready in Nomad; see kubectl get nn.", s.Replicas)}
	}
}

// full describes a pool that has as many ready members as replicas.
func full(s Snapshot, p Plan, c Counts) Condition {
	switch {
	case len(outdated(s)) > 0 && p.HoldRollout == nil:
		return Condition{True: true, Reason: v1alpha1.ReasonRollingOut, Message: "As many members are ready as asked for; those that are outdated are being replaced."}
	case c.Joining > 0 || p.Create > 0:
		return Condition{Reason: v1alpha1.ReasonJoining, Message: "Members are on their way to join Nomad."}
	case p.HoldIn != nil && c.Draining == 0:
		return Condition{True: true, Reason: p.HoldIn.Reason, Message: "As many members are ready as asked for; the surplus stays for now. " + p.HoldIn.Message}
	case c.Draining > 0 || len(p.Victims) > 0:
		return Condition{True: true, Reason: v1alpha1.ReasonMembersLeaving, Message: "As many members are ready as asked for; others are leaving."}
	default:
		return Condition{True: true, Reason: v1alpha1.ReasonAsWanted, Message: "As many members are ready in Nomad as asked for."}
	}
}
