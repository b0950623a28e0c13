package pool

import (
	"fmt"
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// keep returns the names of the members that may stay beyond replicas while a rollout is blocked by its own template:
// those of that template that have not joined, so that people can inspect them or try them again, at most as many as
// may surge. The rollout is blocked until somebody mends the template, and a scale-in must not wait for that.
func keep(x *index) map[string]bool {
	if x.maxSurge == 0 {
		return nil
	}
	var stay []ranked
	for _, m := range x.active {
		if m.Revision == x.Revision && !m.Joined && !m.DeleteNext {
			stay = append(stay, x.rank(m))
		}
	}
	slices.SortFunc(stay, x.victimsOrder)
	kept := map[string]bool{}
	for _, m := range stay[max(len(stay)-x.maxSurge, 0):] {
		kept[m.Name] = true
	}
	return kept
}

// scaleIn chooses the members of the surplus that leave now.
func scaleIn(x *index) Plan {
	if x.Paused {
		return Plan{
			ScaleInBlocked: &condition.Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no member leaves."}}
	}
	if !x.NomadKnown {
		return Plan{ScaleInBlocked: &condition.Problem{v1alpha1.ReasonNomadUnknown,
			"Nobody leaves while Nomad can't be asked: " + x.NomadMessage}}
	}
	if x.awaitsNomad() {
		return Plan{ScaleInBlocked: nomadOfMembersNotAsked}
	}
	if left := x.scaleInWindowLeft(); left > 0 {
		return Plan{
			ScaleInBlocked: &condition.Problem{v1alpha1.ReasonStabilizationWindow,
				"Nobody leaves before scaleIn.stabilizationWindow has passed since the last change of replicas."},
			Wake: left,
		}
	}
	var p Plan
	if x.mayLeave < x.surplus {
		p.ScaleInBlocked = x.maxConcurrent()
	}
	if x.mayLeave == 0 {
		return p // nobody asks Nomad how busy the members are
	}
	chosen, tooFew := victims(x, x.surplus)
	if len(chosen) > x.mayLeave {
		chosen = chosen[:x.mayLeave]
	} else if tooFew != nil {
		p.ScaleInBlocked = tooFew
	}
	p.Victims = chosen
	if tooFew != nil {
		p.Wake = emptyRetry
	}
	return p
}

// awaitsNomad reports whether the Nomad of some member has not been asked yet, which takes moments. Until then nobody
// is chosen to leave: the member may have ceased to work while no controller saw it, and one that works would go.
func (x *index) awaitsNomad() bool {
	return slices.ContainsFunc(x.active, func(m *Member) bool { return m.NomadNotAsked })
}

var nomadOfMembersNotAsked = &condition.Problem{v1alpha1.ReasonNomadUnknown,
	"Nobody is chosen to leave before the Nomad of each member has been asked, which takes moments."}

// emptyRetry is how long to wait before members are chosen again from those that have become empty, of which no event
// is sent.
const emptyRetry = 10 * time.Second

// scaleInWindowLeft returns how much is left of the stabilization window, in which the surplus stays.
func (s *Snapshot) scaleInWindowLeft() time.Duration {
	return s.windowLeft(s.LastScale)
}

// rolloutWindowLeft returns how much is left of the stabilization window in which a rollout waits, too, because the
// members that surge hide a scale-in. A change that only makes the pool larger doesn't block a rollout: an autoscaler
// that grows a pool again and again would let none ever end.
func (s *Snapshot) rolloutWindowLeft() time.Duration {
	return s.windowLeft(s.LastDown)
}

// windowLeft returns how much is left of the stabilization window that began with a change of replicas.
func (s *Snapshot) windowLeft(change time.Time) time.Duration {
	w := s.ScaleIn.StabilizationWindow
	if w == nil || change.IsZero() {
		return 0
	}
	return change.Add(w.Duration).Sub(s.Now)
}

// maxConcurrent returns the problem that scaleIn.maxConcurrent is; nil: it isn't set.
func (s *Snapshot) maxConcurrent() *condition.Problem {
	if s.ScaleIn.MaxConcurrent == nil {
		return nil
	}
	return &condition.Problem{v1alpha1.ReasonMaxConcurrent,
		fmt.Sprintf("At most %d members leave at a time (scaleIn.maxConcurrent).", *s.ScaleIn.MaxConcurrent)}
}

// NeedsUsage reports whether the plan depends on what the members' Nomad nodes carry. To ask costs requests to Nomad,
// so that is done only when members are about to be chosen.
func NeedsUsage(s Snapshot) bool {
	switch {
	case s.Usage != nil, s.Deleting, s.Paused, !s.NomadKnown:
		return false
	case s.ScaleIn.Strategy == v1alpha1.NewestCreateIndex, s.ScaleIn.Strategy == v1alpha1.OldestCreateIndex:
		return false
	}
	switch x := newIndex(s); {
	case x.mayLeave == 0, x.awaitsNomad():
		return false
	case x.surplus > 0:
		return s.scaleInWindowLeft() <= 0
	default:
		return len(decide(x).Outdated) > 0
	}
}
