package pool

import (
	"sort"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// outdated are the active members that a rollout may replace.
func outdated(s Snapshot) []Member {
	if s.Rollout.Type == v1alpha1.OnDelete {
		return nil
	}
	var out []Member
	for _, m := range s.active() {
		if !s.upToDate(m) && !m.Protected {
			out = append(out, m)
		}
	}
	return out
}

// surge is how many members more than replicas there may be now: none but during a rollout.
func surge(s Snapshot) int {
	if len(outdated(s)) == 0 {
		return 0
	}
	beyond, _ := budgets(s)
	return beyond
}

// budgets are maxSurge and maxUnavailable in members. Shares of few replicas may both come to nothing, and then no
// member could ever be replaced, so that one may be missing (Kubernetes: pkg/controller/deployment/util
// ResolveFenceposts).
func budgets(s Snapshot) (beyond, unavailable int) {
	beyond = share(s.Rollout.MaxSurge, s.Replicas, true, 1)
	unavailable = share(s.Rollout.MaxUnavailable, s.Replicas, false, 0)
	if beyond == 0 && unavailable == 0 {
		return 0, 1
	}
	return beyond, unavailable
}

// missing is how many members are to be made or called back: up to replicas always, and during a rollout up to as many
// more as may surge, if that many of the present template are still wanted.
func missing(s Snapshot) int {
	active := len(s.active())
	short := s.Replicas - active
	if s.Paused || s.Joins.BreakerOpen() {
		return short
	}
	updated, old := 0, len(outdated(s))
	for _, m := range s.active() {
		if s.upToDate(m) {
			updated++
		}
	}
	staying := active - updated - old // outdated, but protected or only replaced on deletion
	return max(short, min(short+surge(s), s.Replicas-staying-updated))
}

// rollOut lets outdated members go as far as enough others are available (as Kubernetes' deployments do: those that
// aren't available first, then as many of the others as can be spared).
func rollOut(s Snapshot, p *Plan) {
	old := outdated(s)
	if s.Rollout.Type != v1alpha1.OnDelete && !s.Paused {
		p.wakeIn(s.nextAged())
	}
	if len(old) == 0 {
		return
	}
	if p.HoldRollout = heldRollout(s); p.HoldRollout != nil {
		p.wakeIn(hidesScaleIn(s))
		return
	}
	unavailableOld, availableOld, available, comingNew, wake := split(s, old, p)
	p.wakeIn(wake)
	_, unavailable := budgets(s)
	least := max(s.Replicas-unavailable, 0)
	spare := len(s.active()) - p.departures() - least - comingNew
	if free := mayLeaveNow(s) - p.departures(); free < spare {
		spare, p.HoldRollout = free, maxConcurrent(s)
	}
	if spare <= 0 {
		if lacks := s.refused(s.holdsOthers); p.HoldRollout == nil && lacks != nil {
			p.HoldRollout = lacks
		}
		return
	}
	first := unavailableOld[:min(spare, len(unavailableOld))]
	spare = min(spare-len(first), available-least)
	then := availableOld[:max(min(spare, len(availableOld)), 0)]
	p.Outdated = append(names(first), names(then)...)
}

// behindScaleIn says why no outdated member is replaced while there are more members than may surge: each that left
// would be the scale-in that is held. nil: the surplus leaves right now.
func behindScaleIn(s Snapshot, p Plan) *condition.Problem {
	if len(outdated(s)) == 0 {
		return nil
	}
	if held := heldRollout(s); held != nil || p.HoldIn == nil {
		return held
	}
	return &condition.Problem{p.HoldIn.Reason, "The rollout goes on when the pool's surplus has left: " + p.HoldIn.Message}
}

func heldRollout(s Snapshot) *condition.Problem {
	switch {
	case s.Paused:
		return &condition.Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no outdated member is replaced."}
	case !s.NomadKnown:
		return &condition.Problem{v1alpha1.ReasonNomadUnknown,
			"No outdated member is replaced while Nomad can't be asked: " + s.NomadMessage}
	case heldByTemplate(s) != nil:
		return heldByTemplate(s)
	case hidesScaleIn(s) > 0:
		// Those that may surge hide a scale-in: whoever left for the rollout would be its victim, and can't be called back.
		return &condition.Problem{v1alpha1.ReasonStabilizationWindow,
			"No outdated member is replaced before scaleIn.stabilizationWindow has passed since replicas went down."}
	default:
		return nil
	}
}

// heldByTemplate is what holds a rollout because of the template that it leads to, and doesn't hold a scale-in.
func heldByTemplate(s Snapshot) *condition.Problem {
	switch {
	case s.Joins.BreakerOpen():
		return &condition.Problem{v1alpha1.ReasonJoinsFailing,
			"The rollout is held, because members of the present template don't join Nomad; see the condition JoinsHealthy."}
	case len(s.Problems) > 0:
		return &s.Problems[0]
	default:
		// One that only lacks room doesn't hold: members that leave make it.
		return s.refused(func(m Member) bool { return s.holdsOthers(m) && !m.VMMade })
	}
}

// split sorts the outdated members by availability, each in the order of victims, leaving out those that leave anyway
// or are being called back, and counts all that are available and those of the present template that aren't yet.
func split(s Snapshot, old []Member,
	p *Plan) (unavailableOld, availableOld []Member, available, comingNew int, wake time.Duration) {
	leaving := map[string]bool{}
	for _, group := range [][]string{p.Failed, p.Unhealthy, p.Replace} {
		for _, name := range group {
			leaving[name] = true
		}
	}
	sort.Slice(old, func(i, j int) bool { return before(s, old[i], old[j]) })
	for _, m := range old {
		ok, _ := isAvailable(s, m)
		switch {
		case leaving[m.Name] || m.CancelingDrain:
		case ok:
			availableOld = append(availableOld, m)
		default:
			unavailableOld = append(unavailableOld, m)
		}
	}
	for _, m := range s.active() {
		ok, left := isAvailable(s, m)
		switch {
		case ok:
			available++
		case s.upToDate(m):
			comingNew++
			if left > 0 && (wake == 0 || left < wake) {
				wake = left
			}
		}
	}
	return unavailableOld, availableOld, available, comingNew, wake
}

// isAvailable is true for a member that has been ready for long enough to count on; otherwise, if it is ready, left
// says how long it takes.
func isAvailable(s Snapshot, m Member) (ok bool, left time.Duration) {
	if !m.Ready {
		return false, 0
	}
	left = m.ReadySince.Add(time.Duration(s.Rollout.MinReadySeconds) * time.Second).Sub(s.Now)
	return left <= 0, left
}
