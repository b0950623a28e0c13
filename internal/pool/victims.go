package pool

import (
	"sort"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Victims chooses up to n active members to leave, in a total order, so that two controllers with the same knowledge
// choose the same: asked for by annotation, failed to join in time, not joined yet, not ready, outdated, then by the
// strategy, then by name. Protected members are never chosen, nor are those that are being called back. If there are
// too few, the problem says so.
func Victims(s Snapshot, n int) ([]string, *condition.Problem) {
	var c []Member
	protected, returning, stay := 0, 0, kept(s)
	for _, m := range s.active() {
		switch {
		case stay[m.Name]:
		case m.Protected:
			protected++
		case m.CancelingDrain:
			returning++
		case mayLeave(s, m):
			c = append(c, m)
		}
	}
	sort.Slice(c, func(i, j int) bool { return before(s, c[i], c[j]) })
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

// mayLeave applies the strategies that let only empty members leave.
func mayLeave(s Snapshot, m Member) bool {
	if leavesAnyway(s, m) {
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
func leavesAnyway(s Snapshot, m Member) bool {
	return m.DeleteNext || !m.Joined || m.Down && unsettled(s) == 0
}

// OnlyIf is what a victim's intent depends on: with a strategy that lets only empty members leave, one that may have
// work leaves only if it is empty still when its node no longer takes work. Empty: it leaves in any case.
func OnlyIf(s Snapshot, name string) v1alpha1.ScaleInStrategy {
	if s.ScaleIn.Strategy != v1alpha1.Empty && s.ScaleIn.Strategy != v1alpha1.EmptyIgnoreSystem {
		return ""
	}
	for _, m := range s.Members {
		if m.Name == name && !leavesAnyway(s, m) {
			return s.ScaleIn.Strategy
		}
	}
	return ""
}

func before(s Snapshot, a, b Member) bool {
	for _, first := range []func(Member) bool{
		func(m Member) bool { return m.DeleteNext },
		func(m Member) bool { return m.JoinExpired },
		func(m Member) bool { return !m.Joined },
		func(m Member) bool { return !m.Ready && unsettled(s) == 0 }, // before, it may be ready in a moment
		func(m Member) bool { return !s.upToDate(m) },
	} {
		if first(a) != first(b) {
			return first(a)
		}
	}
	if !a.Joined {
		// The youngest has the least chance to be about to join.
		if !a.Created.Equal(b.Created) {
			return a.Created.After(b.Created)
		}
		return a.Name < b.Name
	}
	if c := compare(s, a, b); c != 0 {
		return c < 0
	}
	return a.Name < b.Name
}

// compare orders two members by the strategy alone. The Nomad Autoscaler's empty strategies keep the order in which
// Nomad lists nodes, which is the newest first.
func compare(s Snapshot, a, b Member) int {
	newest := sign(a.CreateIndex > b.CreateIndex, a.CreateIndex < b.CreateIndex)
	switch s.ScaleIn.Strategy {
	case v1alpha1.OldestCreateIndex:
		return -newest
	case v1alpha1.LeastBusy, "":
		x, y := s.Usage[a.Name].Load, s.Usage[b.Name].Load
		if c := sign(x < y, x > y); c != 0 {
			return c
		}
		return newest
	default:
		return newest
	}
}

func sign(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	default:
		return 0
	}
}
