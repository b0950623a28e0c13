package scheduler

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// everywhere keeps one allocation of a system or sysbatch group on each node that takes it.
func (p *planner) everywhere(group *api.TaskGroup, allocs []*api.Allocation) {
	there := map[string]bool{}
	for _, a := range allocs {
		if p.staysThere(group, a) {
			there[a.NodeID] = true
		}
	}
	if state.Value(group.Count) == 0 {
		return
	}
	name := fmt.Sprintf("%s.%s[0]", state.Value(p.Job.ID), state.Value(group.Name))
	for _, id := range slices.Sorted(maps.Keys(p.Nodes)) {
		node := p.Nodes[id]
		if there[id] || !p.feasible(group, node) {
			continue
		}
		if !p.place(group, name, nil, []*state.Node{node}) {
			p.plan.Queued[state.Value(group.Name)]++
		}
	}
}

// staysThere decides on one allocation, plans its end where that is due, and reports if its node needs no other.
func (p *planner) staysThere(group *api.TaskGroup, a *api.Allocation) bool {
	once := state.Value(p.Job.Type) == state.TypeSysBatch
	switch {
	case state.Terminal(a):
		return once && a.ClientStatus != state.ClientLost && a.DesiredStatus == state.DesiredRun && p.sameRun(a)
	case p.gone(a):
		p.lose(a)
		return false
	case state.ServerTerminal(a):
		return true // until it has ended
	case migrates(a):
		p.stop(a, Tainted)
		return true
	}
	return p.updated(group, a) == fateKeep
}
