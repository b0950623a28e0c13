package scheduler

import (
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// usage is what is taken of a node.
type usage struct {
	cpu, memory, disk int64
	same              map[string]int // allocations by job and group
}

// place puts an allocation on the best of the nodes, and reports if one had the capacity.
func (p *planner) place(group *api.TaskGroup, name string, former *api.Allocation, nodes []*state.Node) bool {
	ask := askOf(group)
	var best *state.Node
	bestScore := 0.0
	exhausted, of := 0, map[string]int{}
	for _, n := range nodes {
		if lacks := p.lacks(n, ask); lacks != "" {
			exhausted++
			of[lacks]++
			continue
		}
		score := p.score(group, n, ask)
		if former != nil && former.NodeID == n.ID {
			score -= 10 // where it just was is the last choice
		}
		if best == nil || score > bestScore {
			best, bestScore = n, score
		}
	}
	if best == nil {
		metric := p.plan.Unplaced[state.Value(group.Name)]
		if metric == nil {
			metric = &api.AllocationMetric{NodesEvaluated: len(p.Nodes), NodesFiltered: len(p.Nodes) - len(nodes),
				NodesExhausted: exhausted, DimensionExhausted: of}
			p.plan.Unplaced[state.Value(group.Name)] = metric
		} else {
			metric.CoalescedFailures++
		}
		return false
	}
	a := p.make(group, name, best, ask)
	if former != nil {
		p.succeed(a, former)
	}
	u := p.used(best)
	u.cpu, u.memory, u.disk = u.cpu+ask.cpu, u.memory+ask.memory, u.disk+ask.disk
	u.same[state.Key(a.JobID, a.TaskGroup)]++
	p.plan.New = append(p.plan.New, a)
	return true
}

func (p *planner) make(group *api.TaskGroup, name string, n *state.Node, ask ask) *api.Allocation {
	tasks := map[string]*api.AllocatedTaskResources{}
	for _, t := range group.Tasks {
		tasks[t.Name] = &api.AllocatedTaskResources{
			Cpu:    api.AllocatedCpuResources{CpuShares: int64(state.Value(t.Resources.CPU))},
			Memory: api.AllocatedMemoryResources{MemoryMB: int64(state.Value(t.Resources.MemoryMB))},
		}
	}
	return &api.Allocation{
		ID: p.NewID(), EvalID: p.EvalID, Name: name, Namespace: state.Value(p.Job.Namespace), NodeID: n.ID, NodeName: n.Name,
		JobID: state.Value(p.Job.ID), Job: p.Job, TaskGroup: state.Value(group.Name),
		AllocatedResources: &api.AllocatedResources{Tasks: tasks, Shared: api.AllocatedSharedResources{DiskMB: ask.disk}},
		DesiredStatus:      state.DesiredRun, ClientStatus: state.ClientPending,
		CreateTime: p.Now.UnixNano(), ModifyTime: p.Now.UnixNano(),
	}
}

// succeed links an allocation with the one whose place it takes.
func (p *planner) succeed(a, former *api.Allocation) {
	a.PreviousAllocation = former.ID
	if former.ClientStatus == state.ClientFailed {
		tracker := &api.RescheduleTracker{Events: slices.Clone(eventsOf(former))}
		tracker.Events = append(tracker.Events,
			&api.RescheduleEvent{RescheduleTime: p.Now.UnixNano(), PrevAllocID: former.ID, PrevNodeID: former.NodeID})
		a.RescheduleTracker = tracker
	}
	for _, c := range p.plan.Changed {
		if c.ID == former.ID {
			c.NextAllocation = a.ID
		}
	}
}

// used is what is taken of a node, this plan included: what it stops there gives its room only once it has ended.
func (p *planner) used(n *state.Node) *usage {
	if u := p.usage[n.ID]; u != nil {
		return u
	}
	u := &usage{same: map[string]int{}}
	for _, a := range p.On(n.ID) {
		if state.Terminal(a) {
			continue
		}
		if r := a.AllocatedResources; r != nil {
			for _, t := range r.Tasks {
				u.cpu, u.memory = u.cpu+t.Cpu.CpuShares, u.memory+t.Memory.MemoryMB
			}
			u.disk += r.Shared.DiskMB
		}
		if !state.ServerTerminal(a) {
			u.same[state.Key(a.JobID, a.TaskGroup)]++
		}
	}
	p.usage[n.ID] = u
	return u
}

// candidates are the nodes that may take the group, in a fixed order.
func (p *planner) candidates(group *api.TaskGroup) []*state.Node {
	var nodes []*state.Node
	for _, id := range slices.Sorted(maps.Keys(p.Nodes)) {
		if n := p.Nodes[id]; p.feasible(group, n) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
