package scheduler

import (
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// ask is what a group wants of a node.
type ask struct{ cpu, memory, disk int64 }

func askOf(group *api.TaskGroup) ask {
	a := ask{}
	for _, t := range group.Tasks {
		a.cpu += int64(state.Value(t.Resources.CPU))
		a.memory += int64(state.Value(t.Resources.MemoryMB))
	}
	if d := group.EphemeralDisk; d != nil {
		a.disk = int64(state.Value(d.SizeMB))
	}
	return a
}

// capacity is what allocations may have of a node.
func capacity(n *state.Node) ask {
	var a ask
	if r := n.NodeResources; r != nil {
		a = ask{r.Cpu.CpuShares, r.Memory.MemoryMB, r.Disk.DiskMB}
	}
	if r := n.ReservedResources; r != nil {
		a.cpu -= int64(r.Cpu.CpuShares)
		a.memory -= int64(r.Memory.MemoryMB)
		a.disk -= int64(r.Disk.DiskMB)
	}
	return a
}

// lacks is the first thing of which the node has too little, as Nomad calls it in what it says of a blocked evaluation
// (facts/nomad.md §10.20); empty if it has enough of all.
func (p *planner) lacks(n *state.Node, want ask) string {
	switch has, u := capacity(n), p.used(n); {
	case u.cpu+want.cpu > has.cpu:
		return "cpu"
	case u.memory+want.memory > has.memory:
		return "memory"
	case u.disk+want.disk > has.disk:
		return "disk"
	default:
		return ""
	}
}

// score prefers full nodes, and those without allocations of the group; a spread over the nodes' IDs asks for the
// latter alone.
func (p *planner) score(group *api.TaskGroup, n *state.Node, want ask) float64 {
	u, has := p.used(n), capacity(n)
	same := float64(u.same[state.Key(state.Value(p.Job.ID), state.Value(group.Name))])
	if p.spreadsOverNodes(group) {
		return -same
	}
	full := (share(u.cpu+want.cpu, has.cpu) + share(u.memory+want.memory, has.memory)) / 2
	if same == 0 {
		return full
	}
	return (full - (same+1)/float64(max(1, state.Value(group.Count)))) / 2
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

func (p *planner) spreadsOverNodes(group *api.TaskGroup) bool {
	for _, spreads := range [][]*api.Spread{group.Spreads, p.Job.Spreads} {
		for _, s := range spreads {
			if s.Attribute == "${node.unique.id}" || s.Attribute == "${node.unique.name}" {
				return true
			}
		}
	}
	return false
}
