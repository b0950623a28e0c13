package pool

import (
	"fmt"
	"sort"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// surplus is how many members there are beyond replicas, and what may surge.
func surplus(s Snapshot) int {
	beyond := surge(s)
	if heldByTemplate(s) != nil {
		beyond = len(kept(s))
	}
	return max(len(s.active())-s.Replicas-beyond, 0)
}

// kept are the members that may stay beyond replicas while a rollout is held by its own template: those of that
// template that have not joined, to be looked at or to be tried again, at most as many as may surge. It is held for
// as long as nobody mends the template, and a scale-in mustn't wait for that.
func kept(s Snapshot) map[string]bool {
	most := surge(s)
	if most == 0 || heldByTemplate(s) == nil {
		return nil
	}
	var stay []Member
	for _, m := range s.active() {
		if m.Revision == s.Revision && !m.Joined && !m.DeleteNext {
			stay = append(stay, m)
		}
	}
	sort.Slice(stay, func(i, j int) bool { return before(s, stay[i], stay[j]) })
	out := map[string]bool{}
	for _, m := range stay[max(len(stay)-most, 0):] {
		out[m.Name] = true
	}
	return out
}

// scaleIn chooses who leaves, if anybody may leave now.
func scaleIn(s Snapshot, surplus int) Plan {
	if s.Paused {
		return Plan{HoldIn: &condition.Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no member leaves."}}
	}
	if !s.NomadKnown {
		return Plan{
			HoldIn: &condition.Problem{v1alpha1.ReasonNomadUnknown,
				"Nobody leaves while Nomad can't be asked: " + s.NomadMessage},
		}
	}
	if left := stabilizing(s); left > 0 {
		return Plan{
			HoldIn: &condition.Problem{v1alpha1.ReasonStabilizationWindow,
				"Nobody leaves before scaleIn.stabilizationWindow has passed since the last change of replicas."},
			Wake: left,
		}
	}
	var p Plan
	allowed := mayLeaveNow(s)
	if allowed < surplus {
		p.HoldIn = maxConcurrent(s)
	}
	if allowed == 0 {
		return p // how busy the members are isn't even asked
	}
	candidates, tooFew := Victims(s, surplus)
	if len(candidates) > allowed {
		candidates = candidates[:allowed]
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
func stabilizing(s Snapshot) time.Duration {
	return windowLeft(s, s.LastScale)
}

// hidesScaleIn is how long those that may surge may still hide a scale-in that the window holds. A change that only
// makes the pool larger doesn't hold a rollout: an autoscaler that goes on growing a pool would let none ever end.
func hidesScaleIn(s Snapshot) time.Duration {
	return windowLeft(s, s.LastDown)
}

// windowLeft is how much is left of the stabilisation window that began with a change of replicas.
func windowLeft(s Snapshot, change time.Time) time.Duration {
	w := s.ScaleIn.StabilizationWindow
	if w == nil || change.IsZero() {
		return 0
	}
	return change.Add(w.Duration).Sub(s.Now)
}

// mayLeaveNow is how many more members may leave at this time.
func mayLeaveNow(s Snapshot) int {
	if s.ScaleIn.MaxConcurrent == nil {
		return len(s.Members)
	}
	return max(int(*s.ScaleIn.MaxConcurrent)-s.leaving(), 0)
}

func maxConcurrent(s Snapshot) *condition.Problem {
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
	case s.Usage != nil, s.Deleting, s.Paused, !s.NomadKnown, mayLeaveNow(s) == 0:
		return false
	case s.ScaleIn.Strategy == v1alpha1.NewestCreateIndex, s.ScaleIn.Strategy == v1alpha1.OldestCreateIndex:
		return false
	case surplus(s) > 0:
		return stabilizing(s) <= 0
	default:
		return len(decide(s).Outdated) > 0
	}
}
