package pool

import (
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// budgets returns maxSurge and maxUnavailable in members. Shares of few replicas may both come to nothing, and then no
// member could ever be replaced, so one may be missing (Kubernetes: pkg/controller/deployment/util ResolveFenceposts).
func (s *Snapshot) budgets() (surge, unavailable int) {
	surge = share(s.Rollout.MaxSurge, s.Replicas, true, 1)
	unavailable = share(s.Rollout.MaxUnavailable, s.Replicas, false, 0)
	if surge == 0 && unavailable == 0 {
		return 0, 1
	}
	return surge, unavailable
}

// countMissing returns how many members are to be made or reclaimed: up to replicas always, and during a rollout one
// more for each outdated member, as far as they may surge.
func countMissing(x *index) int {
	missing := x.Replicas - len(x.active)
	if x.Paused || x.Joins.BreakerOpen() {
		return missing
	}
	return missing + max(min(x.maxSurge, len(x.outdated)), 0)
}

// rollOut requests the drain of as many outdated members as others are available, as Kubernetes' deployments do: those
// that aren't available first, then as many of the others as can be spared.
func rollOut(x *index, p *Plan) {
	if x.Rollout.Type != v1alpha1.OnDelete && !x.Paused {
		p.wakeIn(nextAged(x))
	}
	if len(x.outdated) == 0 {
		return
	}
	if p.RolloutBlocked = rolloutBlocked(x); p.RolloutBlocked != nil {
		p.wakeIn(x.rolloutWindowLeft())
		return
	}
	for _, m := range x.arriving {
		_, left := x.availableIn(m)
		p.wakeIn(left)
	}
	unavailableOld, availableOld := split(x, p)
	least := max(x.Replicas-x.maxUnavailable, 0)
	spare := len(x.active) - p.departures() - least - len(x.arriving)
	if free := x.mayLeave - p.departures(); free < spare {
		spare, p.RolloutBlocked = free, x.maxConcurrent()
	}
	if spare <= 0 {
		if problem := x.firstProblem(x.blocksOthers); p.RolloutBlocked == nil {
			p.RolloutBlocked = problem
		}
		return
	}
	first := unavailableOld[:min(spare, len(unavailableOld))]
	spare = min(spare-len(first), len(x.available)-least)
	then := availableOld[:max(min(spare, len(availableOld)), 0)]
	p.Outdated = append(names(first), names(then)...)
}

// blockedByScaleIn returns why a rollout waits while the pool has more members than may surge: to drain an outdated
// member now would be the scale-in that is blocked. nil: the surplus leaves right now, or nothing is outdated.
func blockedByScaleIn(x *index, p Plan) *condition.Problem {
	if len(x.outdated) == 0 {
		return nil
	}
	if problem := rolloutBlocked(x); problem != nil || p.ScaleInBlocked == nil {
		return problem
	}
	return &condition.Problem{p.ScaleInBlocked.Reason,
		"The rollout goes on when the pool's surplus has left: " + p.ScaleInBlocked.Message}
}

// rolloutBlocked returns why no outdated member is replaced at present, whichever it is; nil: nothing blocks it.
func rolloutBlocked(x *index) *condition.Problem {
	switch {
	case x.Paused:
		return &condition.Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no outdated member is replaced."}
	case !x.NomadKnown:
		return &condition.Problem{v1alpha1.ReasonNomadUnknown,
			"No outdated member is replaced while Nomad can't be asked: " + x.NomadMessage}
	case x.awaitsNomad():
		return nomadOfMembersNotAsked
	case x.templateBlocked != nil:
		return x.templateBlocked
	case x.rolloutWindowLeft() > 0:
		// Members that surge hide a scale-in: one that leaves for the rollout would be its victim, and can't be reclaimed.
		return &condition.Problem{v1alpha1.ReasonStabilizationWindow,
			"No outdated member is replaced before scaleIn.stabilizationWindow has passed since replicas went down."}
	default:
		return nil
	}
}

// templateProblem returns what blocks a rollout because of the template that it leads to; nil: nothing. It doesn't
// block a scale-in.
func templateProblem(x *index) *condition.Problem {
	switch {
	case x.Joins.BreakerOpen():
		return &condition.Problem{v1alpha1.ReasonJoinsFailing,
			"The rollout is held, because members of the present template don't join Nomad; see the condition JoinsHealthy."}
	case len(x.Problems) > 0:
		return &x.Problems[0]
	default:
		// A member that has a VM only lacks capacity, and doesn't block: members that leave free it.
		return x.firstProblem(func(m *Member) bool { return x.blocksOthers(m) && !m.VMMade })
	}
}

// split sorts the outdated members by availability, each in the order of victims, without those that the plan removes
// anyway and those whose last drain is still being canceled.
func split(x *index, p *Plan) (unavailableOld, availableOld []*Member) {
	leaving := setOf(p.Failed, p.Unhealthy, p.Replace)
	ranking := make([]ranked, len(x.outdated))
	for i, m := range x.outdated {
		ranking[i] = x.rank(m)
	}
	slices.SortFunc(ranking, x.victimsOrder)
	for _, r := range ranking {
		m := r.Member
		available, _ := x.availableIn(m)
		switch {
		case leaving[m.Name] || m.CancelingDrain:
		case available:
			availableOld = append(availableOld, m)
		default:
			unavailableOld = append(unavailableOld, m)
		}
	}
	return unavailableOld, availableOld
}

// availableIn reports whether a member has been ready for rollout.minReadySeconds; otherwise, if it is ready, left is
// how long that takes.
func (s *Snapshot) availableIn(m *Member) (ok bool, left time.Duration) {
	if !m.Ready {
		return false, 0
	}
	left = m.ReadySince.Add(time.Duration(s.Rollout.MinReadySeconds) * time.Second).Sub(s.Now)
	return left <= 0, left
}
