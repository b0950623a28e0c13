package pool

import (
	"fmt"

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
		if m.Revision == s.Revision {
			c.Updated++
		}
		switch {
		case m.Ready:
			c.Ready++
		case m.Joined || m.JoinExpired:
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
		v1alpha1.PoolUpToDate:            upToDate(c),
		v1alpha1.PoolNomadReachable:      {True: s.NomadKnown, Unknown: s.NomadReason == v1alpha1.ReasonUnknown, Reason: s.NomadReason, Message: s.NomadMessage},
		v1alpha1.PoolRegistrationHealthy: registration(s),
		v1alpha1.PoolTemplateValid:       templateValid(s),
		v1alpha1.PoolPaused:              paused(s),
	}
	out[v1alpha1.PoolReady] = ready(s, p, c, out)
	return out
}

func scalingOut(s Snapshot, p Plan, c Counts) Condition {
	switch {
	case s.CreateError != nil:
		return Condition{True: true, Reason: s.CreateError.Reason, Message: s.CreateError.Message}
	case p.HoldOut != nil:
		return Condition{True: true, Reason: p.HoldOut.Reason, Message: p.HoldOut.Message}
	case p.Create > 0 || len(p.Rescue) > 0:
		return Condition{True: true, Reason: v1alpha1.ReasonCreating, Message: "Members are being made, or called back from leaving."}
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

func upToDate(c Counts) Condition {
	if c.Updated < c.Replicas {
		return Condition{Reason: v1alpha1.ReasonOutdatedMembers, Message: "Some members were made from an older template. They stay until they leave; delete a NomadNode to have it replaced."}
	}
	return Condition{True: true, Reason: v1alpha1.ReasonAsWanted, Message: "Every member was made from the present template."}
}

func registration(s Snapshot) Condition {
	for _, m := range s.Members {
		if !m.Leaving && m.JoinExpired {
			return Condition{Reason: v1alpha1.ReasonJoinTimeouts, Message: "Members didn't join Nomad within health.joinTimeout. Look at the console of one of them in Harvester, and at kubectl describe nn."}
		}
	}
	return Condition{True: true, Reason: v1alpha1.ReasonAsWanted, Message: "Members join Nomad in time."}
}

func templateValid(s Snapshot) Condition {
	if len(s.Problems) > 0 {
		return Condition{Reason: s.Problems[0].Reason, Message: joinMessages(s.Problems)}
	}
	if p := s.refused(func(Member) bool { return true }); p != nil {
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
		if !all[t].True {
			return Condition{Reason: all[t].Reason, Message: all[t].Message}
		}
	}
	if s.CreateError != nil {
		return Condition{Reason: s.CreateError.Reason, Message: s.CreateError.Message}
	}
	switch {
	case s.Paused && (c.Ready < s.Replicas || c.Replicas > s.Replicas):
		return Condition{Reason: v1alpha1.ReasonPaused, Message: "spec.paused holds the pool, which isn't as replicas ask."}
	case c.Joining > 0 || p.Create > 0:
		return Condition{Reason: v1alpha1.ReasonJoining, Message: "Members are on their way to join Nomad."}
	case c.Ready < s.Replicas:
		return Condition{Reason: v1alpha1.ReasonMembersMissing, Message: fmt.Sprintf("Fewer than %d members are ready in Nomad; see kubectl get nn.", s.Replicas)}
	case c.Draining > 0 || c.Replicas > s.Replicas:
		return Condition{True: true, Reason: v1alpha1.ReasonMembersLeaving, Message: "As many members are ready as asked for; the surplus is leaving."}
	default:
		return Condition{True: true, Reason: v1alpha1.ReasonAsWanted, Message: "As many members are ready in Nomad as asked for."}
	}
}
