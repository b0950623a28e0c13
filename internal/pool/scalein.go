package pool

import (
	"fmt"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// scaleIn chooses who leaves, if anybody may leave now.
func scaleIn(s Snapshot, surplus int) Plan {
	if s.Paused {
		return Plan{HoldIn: &Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no member leaves."}}
	}
	if !s.NomadKnown {
		return Plan{HoldIn: &Problem{v1alpha1.ReasonNomadUnknown, "Nobody leaves while Nomad can't be asked: " + s.NomadMessage}}
	}
	if left := stabilizing(s); left > 0 {
		return Plan{HoldIn: &Problem{v1alpha1.ReasonStabilizing, "Nobody leaves before scaleIn.stabilizationWindow has passed since the last change of replicas."}, Wake: left}
	}
	allowed, hold := concurrent(s, surplus)
	candidates, tooFew := Victims(s, surplus)
	if len(candidates) > allowed {
		candidates = candidates[:allowed]
	} else if tooFew != nil {
		hold = tooFew
	}
	p := Plan{Victims: candidates, HoldIn: hold}
	if tooFew != nil {
		p.Wake = emptyRetry
	}
	return p
}

// emptyRetry is how long to wait before it is looked again whether members have become empty, which nothing announces.
const emptyRetry = 10 * time.Second

// stabilizing is how much of the stabilisation window is left.
func stabilizing(s Snapshot) time.Duration {
	w := s.ScaleIn.StabilizationWindow
	if w == nil || s.LastScale.IsZero() {
		return 0
	}
	return s.LastScale.Add(w.Duration).Sub(s.Now)
}

// concurrent is how many of the surplus may leave now.
func concurrent(s Snapshot, surplus int) (int, *Problem) {
	if s.ScaleIn.MaxConcurrent == nil {
		return surplus, nil
	}
	free := int(*s.ScaleIn.MaxConcurrent) - s.leaving()
	if free >= surplus {
		return surplus, nil
	}
	if free < 0 {
		free = 0
	}
	return free, &Problem{v1alpha1.ReasonMaxConcurrent, fmt.Sprintf("At most %d members leave at a time (scaleIn.maxConcurrent).", *s.ScaleIn.MaxConcurrent)}
}

// NeedsUsage is true when the plan depends on what the members' nodes carry. Asking costs requests to Nomad, so it is
// done only when members are about to be chosen.
func NeedsUsage(s Snapshot) bool {
	if s.Usage != nil || s.Deleting || s.Paused || !s.NomadKnown || stabilizing(s) > 0 {
		return false
	}
	switch s.ScaleIn.Strategy {
	case v1alpha1.NewestCreateIndex, v1alpha1.OldestCreateIndex:
		return false
	default:
		free, _ := concurrent(s, 1)
		return len(s.active()) > s.Replicas && free > 0
	}
}
