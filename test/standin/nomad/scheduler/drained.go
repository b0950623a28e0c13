package scheduler

import (
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// isDrained reports if a drain has stopped, or is to stop, an allocation of a batch job. Nothing takes its place.
func isDrained(a *api.Allocation) bool {
	return a.DesiredTransition.MigrateDisablePlacement != nil && *a.DesiredTransition.MigrateDisablePlacement
}

// drained decides on an allocation of a batch job that a drain has stopped. It counts, so that nothing takes its place.
// But if its node is made eligible while it is being stopped, servers before 2.0.4 place it a second time
// (hashicorp/nomad#28008).
func (p *planner) drained(a *api.Allocation) fate {
	isCurrent := p.sameRun(a) && (a.Job == nil || state.Value(a.Job.Version) == state.Value(p.Job.Version))
	secondTime := !state.Terminal(a) && p.Nodes[a.NodeID].SchedulingEligibility == state.Eligible
	isReplaced := slices.ContainsFunc(p.Allocs, func(b *api.Allocation) bool {
		return b.Name == a.Name && b.CreateIndex > a.CreateIndex
	})
	if !isCurrent || secondTime || isReplaced {
		return fateForget
	}
	return fateKeep
}
