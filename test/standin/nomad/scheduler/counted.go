package scheduler

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// counted keeps as many allocations of a service or batch group as it counts.
func (p *planner) counted(group *api.TaskGroup, allocs []*api.Allocation) {
	var keep, replace []*api.Allocation
	for _, a := range allocs {
		switch p.fate(group, a) {
		case fateKeep:
			keep = append(keep, a)
		case fateReplace:
			replace = append(replace, a)
		case fateForget:
		}
	}
	want := state.Value(group.Count)
	keep = p.dropSurplus(keep, want)
	taken := map[int]bool{}
	for _, a := range keep {
		taken[indexOf(a.Name)] = true
	}
	missing := max(0, want-len(keep))
	for i := range missing {
		var former *api.Allocation
		if i < len(replace) {
			former = replace[i]
		}
		index := freeIndex(taken, former)
		taken[index] = true
		name := fmt.Sprintf("%s.%s[%d]", state.Value(p.Job.ID), state.Value(group.Name), index)
		if !p.place(group, name, former, p.candidates(group)) {
			p.plan.Queued[state.Value(group.Name)] += missing - i
			return
		}
	}
}

type fate int

const (
	// fateKeep: it counts.
	fateKeep fate = iota
	// fateReplace: it counts no more, and what takes its place is its successor.
	fateReplace
	// fateForget: it is over, and its place was taken or isn't needed.
	fateForget
)

// fate decides on one allocation, and plans its end where that is due.
func (p *planner) fate(group *api.TaskGroup, a *api.Allocation) fate {
	batch := state.Value(p.Job.Type) == state.TypeBatch
	switch {
	case a.ClientStatus == state.ClientComplete && batch && a.DesiredStatus == state.DesiredRun && p.sameRun(a):
		return fateKeep // it has done its work
	case a.ClientStatus == state.ClientFailed && a.DesiredStatus == state.DesiredRun:
		return p.failed(group, a)
	case isDrained(a) && state.ServerTerminal(a) && !p.gone(a):
		return p.drained(a)
	case state.Terminal(a):
		return fateForget
	case p.gone(a):
		p.lose(a)
		if state.ServerTerminal(a) {
			return fateForget
		}
		return fateReplace
	case state.ServerTerminal(a):
		return fateForget
	case migrates(a):
		p.stop(a, Migrating)
		if isDrained(a) {
			return fateKeep
		}
		return fateReplace
	}
	return p.updated(group, a)
}

// sameRun reports if the allocation is of the job as it was registered, and not of one before it that had the name.
func (p *planner) sameRun(a *api.Allocation) bool {
	return a.Job == nil || state.Value(a.Job.CreateIndex) == state.Value(p.Job.CreateIndex)
}

// updated replaces an allocation of another version of the job, unless only what no client needs to know has changed.
func (p *planner) updated(group *api.TaskGroup, a *api.Allocation) fate {
	if a.Job == nil || state.Value(a.Job.Version) == state.Value(p.Job.Version) {
		return fateKeep
	}
	old := groupOf(a.Job, a.TaskGroup)
	if old == nil || !reflect.DeepEqual(tasksOf(old), tasksOf(group)) ||
		!reflect.DeepEqual(a.Job.Constraints, p.Job.Constraints) ||
		!p.sameRun(a) {
		p.stop(a, NotNeeded)
		return fateReplace
	}
	c := *a
	c.Job = p.Job
	p.plan.Changed = append(p.plan.Changed, &c)
	return fateKeep
}

// tasksOf is what of a group makes an allocation another one.
func tasksOf(g *api.TaskGroup) any {
	return []any{g.Tasks, g.Constraints, g.EphemeralDisk, g.Networks, g.Volumes}
}

func groupOf(j *api.Job, name string) *api.TaskGroup {
	for _, g := range j.TaskGroups {
		if state.Value(g.Name) == name {
			return g
		}
	}
	return nil
}

// dropSurplus stops the allocations with the highest indexes, those on nodes that take none first.
func (p *planner) dropSurplus(keep []*api.Allocation, want int) []*api.Allocation {
	slices.SortStableFunc(keep, func(a, b *api.Allocation) int {
		if x, y := p.unwelcome(a), p.unwelcome(b); x != y {
			return x - y
		}
		return indexOf(a.Name) - indexOf(b.Name)
	})
	for len(keep) > want {
		last := keep[len(keep)-1]
		keep = keep[:len(keep)-1]
		if !state.Terminal(last) && !state.ServerTerminal(last) {
			p.stop(last, NotNeeded)
		}
	}
	return keep
}

func (p *planner) unwelcome(a *api.Allocation) int {
	if n := p.Nodes[a.NodeID]; n == nil || n.SchedulingEligibility != state.Eligible {
		return 1
	}
	return 0
}

// indexOf is the number in an allocation's name.
func indexOf(name string) int {
	open := strings.LastIndexByte(name, '[')
	if open < 0 {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSuffix(name[open+1:], "]"))
	if err != nil {
		return 0
	}
	return n
}

func freeIndex(taken map[int]bool, former *api.Allocation) int {
	if former != nil && !taken[indexOf(former.Name)] {
		return indexOf(former.Name)
	}
	for i := 0; ; i++ {
		if !taken[i] {
			return i
		}
	}
}
