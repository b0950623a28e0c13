package pool

import (
	"cmp"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// victims chooses up to n active members to leave, in a total order, so that two controllers with the same knowledge
// choose the same: asked for by annotation, failed to join in time, not joined yet, not ready, outdated, then by the
// strategy, then by name. Protected members are never chosen, nor are those whose last drain is still being canceled.
// If there are too few, the problem says why.
func victims(x *index, n int) ([]string, *condition.Problem) {
	candidates, protected, canceling := make([]ranked, 0, len(x.active)), 0, 0
	for _, m := range x.active {
		switch {
		case x.kept[m.Name]:
		case m.Protected:
			protected++
		case m.CancelingDrain:
			canceling++
		case x.mayBeVictim(m):
			candidates = append(candidates, x.rank(m))
		}
	}
	slices.SortFunc(candidates, x.victimsOrder)
	chosen := make([]string, min(n, len(candidates)))
	for i := range chosen {
		chosen[i] = candidates[i].Name
	}
	switch {
	case len(candidates) >= n:
		return chosen, nil
	case len(candidates)+canceling >= n:
		return chosen, drainsBeingCanceled
	case len(candidates)+protected >= n:
		return chosen, &condition.Problem{v1alpha1.ReasonAllProtected,
			"Too few members may leave: the others carry the annotation " + v1alpha1.ProtectAnnotation +
				". To let one go: kubectl annotate nn MEMBER " + v1alpha1.ProtectAnnotation + "-"}
	default:
		return chosen, &condition.Problem{v1alpha1.ReasonWaitingForAllocations,
			"Too few members are empty, and scaleIn.strategy lets only empty ones leave."}
	}
}

// drainsBeingCanceled blocks a scale-in for some seconds.
var drainsBeingCanceled = &condition.Problem{
	v1alpha1.ReasonDraining,
	"No member is asked to leave while an earlier drain of it is still being canceled.",
}

// mayBeVictim applies the strategies under which only empty members leave.
func (s *Snapshot) mayBeVictim(m *Member) bool {
	if s.leavesAnyway(m) {
		return true
	}
	u, known := s.Usage[m.Name]
	switch s.ScaleIn.Strategy {
	case v1alpha1.Empty:
		return known && u.Allocations == 0
	case v1alpha1.EmptyIgnoreSystem:
		return known && u.Allocations == u.System
	default:
		return true
	}
}

// leavesAnyway reports whether a member may leave whatever the strategy requires of its allocations: it is asked for by
// name, or it has none. A member that is merely not ready, because an operator made its node ineligible or Nomad lost
// contact with it, may have some.
func (s *Snapshot) leavesAnyway(m *Member) bool {
	return m.DeleteNext || !m.Joined && !m.worksUnderOtherID() || m.Down && s.judges(m)
}

// OnlyIf returns the strategy that a victim's drain request depends on; empty: none. Under a strategy that lets only
// empty members leave, one that may have work leaves only if it is still empty once its node is ineligible.
func OnlyIf(s Snapshot, name string) v1alpha1.ScaleInStrategy {
	if s.ScaleIn.Strategy != v1alpha1.Empty && s.ScaleIn.Strategy != v1alpha1.EmptyIgnoreSystem {
		return ""
	}
	for i := range s.Members {
		if m := &s.Members[i]; m.Name == name && !s.leavesAnyway(m) {
			return s.ScaleIn.Strategy
		}
	}
	return ""
}

// ranked is a member with what its place among victims depends on, so that a sort computes that once a member.
type ranked struct {
	*Member
	urgency int
	load    float64
}

func (x *index) rank(m *Member) ranked { return ranked{m, x.urgency(m), x.Usage[m.Name].Load} }

// victimsOrder puts the member that leaves sooner first.
func (s *Snapshot) victimsOrder(a, b ranked) int {
	if c := b.urgency - a.urgency; c != 0 {
		return c
	}
	if !a.Joined {
		// The youngest has the least chance to be about to join.
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return byName(a.Member, b.Member)
	}
	if c := s.strategyOrder(a, b); c != 0 {
		return c
	}
	return byName(a.Member, b.Member)
}

// urgency returns how much sooner than others a member leaves, whatever the strategy: each reason outweighs all that
// follow it.
func (x *index) urgency(m *Member) int {
	n := 0
	for _, reason := range [...]bool{
		m.DeleteNext,
		m.JoinExpired,
		!m.Joined,
		!m.Ready && x.judges(m), // while Nomad recovers it may be ready in a moment
		!x.upToDate(m),
	} {
		if n *= 2; reason {
			n++
		}
	}
	return n
}

// strategyOrder orders two members by the strategy alone. The Nomad Autoscaler's empty strategies keep the order in
// which Nomad lists nodes, which is the newest first.
func (s *Snapshot) strategyOrder(a, b ranked) int {
	newest := cmp.Compare(b.CreateIndex, a.CreateIndex)
	switch s.ScaleIn.Strategy {
	case v1alpha1.OldestCreateIndex:
		return -newest
	case v1alpha1.LeastBusy, "":
		return cmp.Or(cmp.Compare(a.load, b.load), newest)
	default:
		return newest
	}
}
