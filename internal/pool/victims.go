package pool

import (
	"cmp"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// victims chooses up to n active members to leave, in a total order, so that two controllers with the same knowledge
// choose the same: asked for by annotation, failed to join in time, not joined yet, not ready, outdated, then by the
// strategy, then by name. Protected members are never chosen, nor are those that are being called back. If there are
// too few, the problem says so.
func victims(x *index, n int) ([]string, *condition.Problem) {
	var c []*Member
	protected, returning := 0, 0
	for _, m := range x.active {
		switch {
		case x.kept[m.Name]:
		case m.Protected:
			protected++
		case m.CancelingDrain:
			returning++
		case x.mayBeVictim(m):
			c = append(c, m)
		}
	}
	slices.SortFunc(c, x.victimsOrder)
	if len(c) >= n {
		return names(c[:n]), nil
	}
	if len(c)+returning >= n {
		return names(c), comingBack
	}
	if protected > 0 && len(c)+protected >= n {
		return names(
				c,
			), &condition.Problem{v1alpha1.ReasonAllProtected,
				"Too few members may leave: the others carry the annotation " + v1alpha1.ProtectAnnotation + ". To let one go: kubectl annotate nn MEMBER " + v1alpha1.ProtectAnnotation + "-"}
	}
	return names(
			c,
		), &condition.Problem{v1alpha1.ReasonWaitingForAllocations,
			"Too few members are empty, and scaleIn.strategy lets only empty ones leave."}
}

// comingBack holds a scale-in for some seconds.
var comingBack = &condition.Problem{
	v1alpha1.ReasonDraining,
	"Members whose order to leave is being taken back are ordered to leave again only when that is done.",
}

// mayBeVictim applies the strategies that let only empty members leave.
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

// leavesAnyway is true for a member that leaves whatever the strategy says of its allocations: it is asked for by
// name, or it has none. One that is merely not ready, because an operator made its node ineligible or Nomad has lost
// sight of it, may have some.
func (s *Snapshot) leavesAnyway(m *Member) bool {
	return m.DeleteNext || !m.Joined || m.Down && s.recoveryLeft() == 0
}

// OnlyIf is what a victim's intent depends on: with a strategy that lets only empty members leave, one that may have
// work leaves only if it is empty still when its node no longer takes work. Empty: it leaves in any case.
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

// victimsOrder puts the member that leaves sooner first.
func (x *index) victimsOrder(a, b *Member) int {
	if c := x.urgency(b) - x.urgency(a); c != 0 {
		return c
	}
	if !a.Joined {
		// The youngest has the least chance to be about to join.
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return byName(a, b)
	}
	if c := x.strategyOrder(a, b); c != 0 {
		return c
	}
	return byName(a, b)
}

// urgency is how much sooner than others a member leaves, whatever the strategy: each reason outweighs all that follow.
func (x *index) urgency(m *Member) int {
	n := 0
	for _, reason := range [...]bool{
		m.DeleteNext,
		m.JoinExpired,
		!m.Joined,
		!m.Ready && x.recovering == 0, // before, it may be ready in a moment
		!x.upToDate(m),
	} {
		if n *= 2; reason {
			n++
		}
	}
	return n
}

// strategyOrder orders two members by the strategy alone. The Nomad Autoscaler's empty strategies keep the order in which
// Nomad lists nodes, which is the newest first.
func (s *Snapshot) strategyOrder(a, b *Member) int {
	newest := cmp.Compare(b.CreateIndex, a.CreateIndex)
	switch s.ScaleIn.Strategy {
	case v1alpha1.OldestCreateIndex:
		return -newest
	case v1alpha1.LeastBusy, "":
		return cmp.Or(cmp.Compare(s.Usage[a.Name].Load, s.Usage[b.Name].Load), newest)
	default:
		return newest
	}
}
