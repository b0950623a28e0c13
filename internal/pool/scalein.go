package pool

import (
	"fmt"
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// keep returns the names of the members that may stay beyond replicas while a rollout is blocked by its own template:
// those of that template that have not joined, to be looked at or to be tried again, at most as many as may surge. It
// is blocked for as long as nobody mends the template, and a scale-in mustn't wait for that.
func keep(x *index) map[string]bool {
	if x.maxSurge == 0 {
		return nil
	}
	var stay []*Member
	for _, m := range x.active {
		if m.Revision == x.Revision && !m.Joined && !m.DeleteNext {
			stay = append(stay, m)
		}
	}
	slices.SortFunc(stay, x.victimsOrder)
	return setOf(names(stay[max(len(stay)-x.maxSurge, 0):]))
}

// scaleIn chooses who leaves, if anybody may leave now.
func scaleIn(x *index) Plan {
	if x.Paused {
		return Plan{HoldIn: &condition.Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no member leaves."}}
	}
	if !x.NomadKnown {
		return Plan{
			HoldIn: &condition.Problem{v1alpha1.ReasonNomadUnknown,
				"Nobody leaves while Nomad can't be asked: " + x.NomadMessage},
		}
	}
	if left := stabilizing(&x.Snapshot); left > 0 {
		return Plan{
			HoldIn: &condition.Problem{v1alpha1.ReasonStabilizationWindow,
				"Nobody leaves before scaleIn.stabilizationWindow has passed since the last change of replicas."},
			Wake: left,
		}
	}
	var p Plan
	if x.mayLeave < x.surplus {
		p.HoldIn = maxConcurrent(&x.Snapshot)
	}
	if x.mayLeave == 0 {
		return p // how busy the members are isn't even asked
	}
	candidates, tooFew := victims(x, x.surplus)
	if len(candidates) > x.mayLeave {
		candidates = candidates[:x.mayLeave]
	} else if tooFew != nil {
		p.HoldIn = tooFew
	}
	p.Victims = candidates
	if tooFew != nil {
		p.Wake = emptyRetry
	}
	return p
}

// emptyRetry is how long to wait before it is looked again whether members have become empty, which nothing announces.
const emptyRetry = 10 * time.Second

// stabilizing is how much of the stabilisation window is left.
func stabilizing(s *Snapshot) time.Duration {
	return windowLeft(s, s.LastScale)
}

// hidesScaleIn is how long those that may surge may still hide a scale-in that the window holds. A change that only
// makes the pool larger doesn't hold a rollout: an autoscaler that goes on growing a pool would let none ever end.
func hidesScaleIn(s *Snapshot) time.Duration {
	return windowLeft(s, s.LastDown)
}

// windowLeft is how much is left of the stabilisation window that began with a change of replicas.
func windowLeft(s *Snapshot, change time.Time) time.Duration {
	w := s.ScaleIn.StabilizationWindow
	if w == nil || change.IsZero() {
		return 0
	}
	return change.Add(w.Duration).Sub(s.Now)
}

func maxConcurrent(s *Snapshot) *condition.Problem {
	if s.ScaleIn.MaxConcurrent == nil {
		return nil
	}
	return &condition.Problem{v1alpha1.ReasonMaxConcurrent,
		fmt.Sprintf("At most %d members leave at a time (scaleIn.maxConcurrent).", *s.ScaleIn.MaxConcurrent)}
}

// NeedsUsage is true when the plan depends on what the members' nodes carry. Asking costs requests to Nomad, so it is
// done only when members are about to be chosen.
func NeedsUsage(s Snapshot) bool {
	switch {
	case s.Usage != nil, s.Deleting, s.Paused, !s.NomadKnown:
		return false
	case s.ScaleIn.Strategy == v1alpha1.NewestCreateIndex, s.ScaleIn.Strategy == v1alpha1.OldestCreateIndex:
		return false
	}
	switch x := newIndex(s); {
	case x.mayLeave == 0:
		return false
	case x.surplus > 0:
		return stabilizing(&s) <= 0
	default:
		return len(decide(x).Outdated) > 0
	}
}
