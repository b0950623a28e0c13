package pool

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// recoveryTime is how long what Nomad reports of its nodes' health isn't acted upon after it came back or changed its
// leader: its clients need that long to be heard of again.
const recoveryTime = time.Minute

// joinSlack is within what time of its first joining a member that becomes ready has only joined, and not come back.
const joinSlack = 5 * time.Second

// repair requests the drain of members that didn't join in time or no longer work, so that others are made in their
// place. Whatever looks like a cause outside of the single member blocks it.
func repair(x *index, p *Plan) {
	p.wakeIn(x.nextBroken)
	p.wakeIn(x.nextAiling)
	if x.ailing && x.nextBroken > 0 {
		p.wakeIn(problemRetry) // no event is sent when an upgrade or a maintenance begins
	}
	failed, unhealthy := without(x.failed, p.Victims), without(x.unhealthy, p.Victims)
	maintenance := len(x.inMaintenance) > 0
	if maintenance || x.Suspension.open() {
		p.wakeIn(problemRetry) // no event is sent when it ends
	}
	if len(failed)+len(unhealthy) == 0 {
		if maintenance {
			p.RepairBlocked = &condition.Problem{v1alpha1.ReasonHostMaintenance,
				"Members that don't work are left alone while their hosts are in maintenance; see kubectl get nodes."}
		}
		return
	}
	if p.RepairBlocked = repairBlocked(x, p); p.RepairBlocked != nil {
		return
	}
	broken := slices.Concat(failed, unhealthy)
	failed, unhealthy = judged(x, p, failed), judged(x, p, unhealthy)
	if len(failed)+len(unhealthy) == 0 {
		p.RepairBlocked = unjudged(broken)
		return
	}
	// One that has gone already may not have its successor yet: those that are made now will be joining.
	free := min(x.maxInFlight()-len(x.joining)-len(x.repairing)-p.Create, x.mayLeave-p.departures())
	if free <= 0 {
		p.RepairBlocked = &condition.Problem{v1alpha1.ReasonRepairing,
			"Members that don't work wait for those that are leaving or joining: at most health.maxInFlight are replaced, " +
				"and scaleIn.maxConcurrent leave, at a time; see kubectl get nn."}
		return
	}
	if many, wake := tooMany(x); many {
		unhealthy = nil
		p.wakeIn(wake)
		p.RepairBlocked = &condition.Problem{v1alpha1.ReasonTooManyUnhealthy,
			"More members are unhealthy than health.maxUnhealthy, or were until a minute ago, so that the cause must lie " +
				"elsewhere (Nomad's servers, the network, a host): none of those that had joined is replaced."}
	}
	p.Failed = names(failed[:min(free, len(failed))])
	p.Unhealthy = names(unhealthy[:min(free-len(p.Failed), len(unhealthy))])
}

// repairBlocked returns why no member is replaced at present, whichever it is; nil: nothing blocks it.
func repairBlocked(x *index, p *Plan) *condition.Problem {
	switch {
	case x.Paused:
		return &condition.Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no member is replaced."}
	case !x.NomadKnown:
		return &condition.Problem{v1alpha1.ReasonNomadUnknown,
			"Nobody is replaced while Nomad can't be asked: " + x.NomadMessage}
	case x.Joins.BreakerOpen():
		return &condition.Problem{v1alpha1.ReasonJoinsFailing,
			"Nobody is replaced, because members made anew don't join Nomad; see the condition JoinsHealthy."}
	case x.Upgrade != nil:
		p.wakeIn(problemRetry)
		return &condition.Problem{v1alpha1.ReasonUpgradeRunning,
			"Nobody is replaced while Harvester is being upgraded (" + x.Upgrade.Name +
				"). If that upgrade is stuck for good, this ends it: " + x.Upgrade.End}
	case x.recovering > 0:
		p.wakeIn(x.recovering)
		return nomadRecovering
	default:
		return nil
	}
}

// judged returns the members whose Nomad, which needn't be the pool's, can be asked, and has not just come back.
func judged(x *index, p *Plan, ms []*Member) []*Member {
	return slices.DeleteFunc(ms, func(m *Member) bool {
		p.wakeIn(x.recoveryLeftOf(m))
		return !x.judges(m)
	})
}

// unjudged returns why none of the members is replaced, because of the Nomad that they are in.
func unjudged(ms []*Member) *condition.Problem {
	if slices.ContainsFunc(ms, func(m *Member) bool { return m.NomadUnknown }) {
		return nomadOfMembersUnknown
	}
	return nomadRecovering
}

// nomadOfMembersUnknown is about members that are in another Nomad cluster than the pool's, or are asked for with other
// credentials.
var nomadOfMembersUnknown = &condition.Problem{v1alpha1.ReasonNomadUnknown,
	"Of some members Nomad can't be asked, so it isn't known if they work, and none of them is replaced; their own Ready " +
		"says why (kubectl get nn)."}

var nomadRecovering = &condition.Problem{v1alpha1.ReasonNomadRecovering,
	"Nobody is replaced yet, because Nomad has just come back or changed its leader."}

// without returns the members that aren't named, in a slice of its own.
func without(ms []*Member, names []string) []*Member {
	if len(ms) == 0 {
		return nil
	}
	named, out := setOf(names), []*Member(nil)
	for _, m := range ms {
		if !named[m.Name] {
			out = append(out, m)
		}
	}
	return out
}

// recoveryLeft returns for how much longer what Nomad reports of its nodes' health isn't acted upon.
func (s *Snapshot) recoveryLeft() time.Duration { return s.recoveryLeftSince(s.NomadRecovered) }

// recoveryLeftOf is the same for one member, which may be in another Nomad than the pool's.
func (s *Snapshot) recoveryLeftOf(m *Member) time.Duration {
	return max(s.recoveryLeft(), s.recoveryLeftSince(m.NomadRecovered))
}

func (s *Snapshot) recoveryLeftSince(recovered time.Time) time.Duration {
	if recovered.IsZero() {
		return 0
	}
	return max(recovered.Add(recoveryTime).Sub(s.Now), 0)
}

// judges reports whether what the member's Nomad reports of its node's health is acted upon.
func (s *Snapshot) judges(m *Member) bool { return !m.NomadUnknown && s.recoveryLeftOf(m) == 0 }

func (s *Snapshot) maxInFlight() int {
	if s.Health.MaxInFlight == nil {
		return 1
	}
	return int(*s.Health.MaxInFlight)
}

// tooMany reports whether more members than maxUnhealthy are unsteady. Members that recovered within the last minute
// still count, so that the stragglers of a shared outage aren't replaced. wake is how long until the next one of these
// no longer counts; 0: there is none.
func tooMany(x *index) (many bool, wake time.Duration) {
	for _, m := range x.unsteady {
		if m.UnhealthyTime.IsZero() {
			wake = nodestate.Sooner(wake, m.ReadySince.Add(recoveryTime).Sub(x.Now))
		}
	}
	return len(x.unsteady) > share(x.Health.MaxUnhealthy, x.Replicas, true, x.Replicas), wake
}

// isUnsteady reports whether a member that had joined doesn't work, or came back within the last minute. A halted one
// doesn't count.
func (s *Snapshot) isUnsteady(m *Member) bool {
	switch {
	case m.Halted:
		return false
	case !m.UnhealthyTime.IsZero():
		return true
	default:
		return m.Ready && m.ReadySince.Add(recoveryTime).After(s.Now) && !m.JoinedAt.IsZero() &&
			m.ReadySince.Sub(m.JoinedAt) > joinSlack
	}
}

// share returns a number of members that is given as such or as a percentage of all; unset if it isn't given.
func share(v *intstr.IntOrString, all int, roundUp bool, unset int) int {
	if v == nil {
		return unset
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, all, roundUp)
	if err != nil {
		return unset // the API server lets nothing else through
	}
	return n
}

// slowJoin is how long a member may take to join before the hosts are observed because of it. Most members have joined
// by then.
const slowJoin = time.Minute

// isAiling reports whether the time of a member runs, to join or to work again, so that it matters if something
// suspends that meanwhile: what is over before the time is up is found only if it was seen. in is how long until that
// is so of a member that has just begun to join; 0: it isn't waited for.
func (s *Snapshot) isAiling(m *Member) (ails bool, in time.Duration) {
	switch {
	case m.Halted:
		return false, 0
	case m.JoinExpired:
		return true, 0
	case m.Joined:
		return !m.Ready && !m.Protected && m.Blocked == nil && !m.UnhealthyTime.IsZero(), 0
	case !m.VMMade || m.Blocked != nil:
		return false, 0
	}
	timeout := s.Health.JoinTimeout.Duration
	in = max(m.JoinDeadline.Add(min(slowJoin, timeout/2)-timeout).Sub(s.Now), 0)
	return in == 0, in
}

// NeedsHosts reports whether the plan, the evidence of how members joined, or the time of members that don't work or
// join depends on what Harvester does with its hosts and itself. Only then the hosts are observed.
func NeedsHosts(s Snapshot) bool { return !s.Deleting && (s.Suspension.open() || newIndex(s).ailing) }
