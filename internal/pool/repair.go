package pool

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// settling is how long what Nomad says of its nodes' health isn't acted upon after it came back or changed its leader:
// clients need that long to be heard of again.
const settling = time.Minute

// joinSlack is within what time of its first joining a member that becomes ready has only joined, and not come back.
const joinSlack = 5 * time.Second

// repair lets members go that didn't join in time or no longer work, so that others are made in their place. Whatever
// looks like a cause outside of the single member holds it.
func repair(s Snapshot, p *Plan) {
	failed, unhealthy, wake := broken(s)
	p.wakeIn(wake)
	leaves := func(m Member) bool { return slices.Contains(p.Victims, m.Name) }
	failed, unhealthy = slices.DeleteFunc(failed, leaves), slices.DeleteFunc(unhealthy, leaves)
	maintenance := slices.ContainsFunc(s.active(), func(m Member) bool { return m.HostMaintenance })
	if maintenance || s.Suspension.open() {
		p.wakeIn(problemRetry) // nothing tells of its end
	}
	if len(failed)+len(unhealthy) == 0 {
		if maintenance {
			p.HoldRepair = &condition.Problem{v1alpha1.ReasonHostMaintenance,
				"Members that don't work are left alone while their hosts are in maintenance; see kubectl get nodes."}
		}
		return
	}
	if p.HoldRepair = heldRepair(s, p); p.HoldRepair != nil {
		return
	}
	free := min(maxInFlight(s)-repairing(s), mayLeaveNow(s)-p.departures())
	if free <= 0 {
		p.HoldRepair = &condition.Problem{v1alpha1.ReasonRepairing,
			"Members that don't work wait for those that are leaving or joining: at most health.maxInFlight are replaced, and scaleIn.maxConcurrent leave, at a time; see kubectl get nn."}
		return
	}
	if many, wake := tooMany(s); many {
		unhealthy = nil
		p.wakeIn(wake)
		p.HoldRepair = &condition.Problem{v1alpha1.ReasonTooManyUnhealthy,
			"More members are unhealthy than health.maxUnhealthy, or were until a minute ago, so that the cause must lie elsewhere (Nomad's servers, the network, a host): none of those that had joined is replaced."}
	}
	p.Failed = names(failed[:min(free, len(failed))])
	p.Unhealthy = names(unhealthy[:min(free-len(p.Failed), len(unhealthy))])
}

// broken are the members to be replaced, by name, and how long until the next one's time is up.
func broken(s Snapshot) (failed, unhealthy []Member, wake time.Duration) {
	for _, m := range s.active() {
		switch left := m.UnhealthyTime.Add(s.Health.UnhealthyTimeout.Duration).Sub(s.Now); {
		case m.Protected || m.CancelingDrain || m.Halted || m.HostMaintenance || m.Blocked != nil: // of those with a problem another would fare the same
		case m.JoinExpired && m.VMMade:
			failed = append(failed, m)
		case !m.Joined && m.VMMade && m.JoinDeadline.After(s.Now): // its own record may have said long ago that its time is up
			wake = sooner(wake, m.JoinDeadline.Sub(s.Now))
		case m.UnhealthyTime.IsZero() || s.Health.UnhealthyTimeout.Duration <= 0:
		case left > 0:
			wake = sooner(wake, left)
		default:
			unhealthy = append(unhealthy, m)
		}
	}
	byName := func(a, b Member) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(failed, byName)
	slices.SortFunc(unhealthy, byName)
	return failed, unhealthy, wake
}

// sooner is the earlier of two waits; 0: none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// unsettled is for how much longer what Nomad says of its nodes' health isn't acted upon.
func unsettled(s Snapshot) time.Duration {
	if s.NomadRecovered.IsZero() {
		return 0
	}
	return max(s.NomadRecovered.Add(settling).Sub(s.Now), 0)
}

func heldRepair(s Snapshot, p *Plan) *condition.Problem {
	left := unsettled(s)
	switch {
	case s.Paused:
		return &condition.Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no member is replaced."}
	case !s.NomadKnown:
		return &condition.Problem{v1alpha1.ReasonNomadUnknown,
			"Nobody is replaced while Nomad can't be asked: " + s.NomadMessage}
	case s.Joins.BreakerOpen():
		return &condition.Problem{v1alpha1.ReasonJoinsFailing,
			"Nobody is replaced, because members made anew don't join Nomad; see the condition JoinsHealthy."}
	case s.Upgrade != nil:
		p.wakeIn(problemRetry)
		return &condition.Problem{v1alpha1.ReasonUpgradeRunning,
			"Nobody is replaced while Harvester is being upgraded (" + s.Upgrade.Name + "). If that upgrade is stuck for good, this ends it: " + s.Upgrade.End}
	case left > 0:
		p.wakeIn(left)
		return &condition.Problem{v1alpha1.ReasonNomadRecovering,
			"Nobody is replaced yet, because Nomad has just come back or changed its leader."}
	default:
		return nil
	}
}

// repairing is how many members are on the way of being replaced. One that is stuck on its way out no longer counts,
// because nothing says that it ever ends.
func repairing(s Snapshot) int {
	n := joining(s)
	for _, m := range s.Members {
		if m.Leaving && !m.Stuck &&
			(m.LeavingReason == v1alpha1.DrainJoinTimeout || m.LeavingReason == v1alpha1.DrainUnhealthy) {
			n++
		}
	}
	return n
}

func maxInFlight(s Snapshot) int {
	if s.Health.MaxInFlight == nil {
		return 1
	}
	return int(*s.Health.MaxInFlight)
}

// tooMany is true when more members that had joined don't work than the pool takes for accidents. Those that have just
// come back count as well: when a common cause has gone, members return one by one, and the last of them aren't to be
// replaced for being the last. wake is how long until one of them no longer counts; 0: none is just back.
func tooMany(s Snapshot) (many bool, wake time.Duration) {
	n := 0
	for _, m := range s.active() {
		left := m.ReadySince.Add(settling).Sub(s.Now)
		switch {
		case m.Halted:
		case !m.UnhealthyTime.IsZero():
			n++
		case m.Ready && left > 0 && !m.JoinedAt.IsZero() && m.ReadySince.Sub(m.JoinedAt) > joinSlack:
			n++
			wake = sooner(wake, left)
		}
	}
	return n > share(s.Health.MaxUnhealthy, s.Replicas, true, s.Replicas), wake
}

// share is a number of members, given as such or as a share of all; unset if it isn't given.
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

// NeedsHosts is true when the plan, or what is recorded of members that don't join, depends on what Harvester does
// with the hosts and itself, which is asked for only then.
func NeedsHosts(s Snapshot) bool {
	if s.Deleting {
		return false
	}
	failed, unhealthy, _ := broken(s)
	return s.Suspension.open() || len(failed)+len(unhealthy) > 0 ||
		slices.ContainsFunc(s.active(), func(m Member) bool { return m.JoinExpired && !m.Halted })
}
