package scheduler

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// What Nomad says of allocations that it stops.
const (
	// Migrating is that of one that a drain moves.
	Migrating = "alloc is being migrated"
	// Tainted is that of one of a system job on a node that drains.
	Tainted = "alloc not needed as node is tainted"
	// Lost is that of one whose node is down or gone.
	Lost = "alloc is lost since its node is down"
	// NotNeeded is that of one too many, or of a job that was stopped or changed.
	NotNeeded = "alloc not needed due to job update"
	// Rescheduled is that of one that failed and has a replacement.
	Rescheduled = "alloc was rescheduled because it failed"
)

// Input is what is known when a job is evaluated.
type Input struct {
	// Job is nil once it was purged.
	Job *api.Job
	// Allocs are all of the job's, those that have ended included.
	Allocs []*api.Allocation
	// Nodes are all there are.
	Nodes map[string]*state.Node
	// On are the allocations of all jobs on a node that haven't ended.
	On func(nodeID string) []*api.Allocation
	// Now is the time.
	Now time.Time
	// NewID makes IDs; EvalID is that of the evaluation.
	NewID  func() string
	EvalID string
}

// Plan is what becomes of a job's allocations.
type Plan struct {
	// Changed are new states of allocations that exist, New are allocations to make.
	Changed, New []*api.Allocation
	// Unplaced says how many allocations of each group have no place.
	Unplaced map[string]*api.AllocationMetric
	// Queued counts those.
	Queued map[string]int
	// Wake is when a failed allocation may be replaced; zero: nothing waits.
	Wake time.Time
}

// Empty reports if nothing changes.
func (p *Plan) Empty() bool { return len(p.Changed) == 0 && len(p.New) == 0 }

// planner makes one plan.
type planner struct {
	Input
	plan  *Plan
	usage map[string]*usage
}

// Decide evaluates a job.
func Decide(in Input) *Plan {
	p := &planner{Input: in, plan: &Plan{Unplaced: map[string]*api.AllocationMetric{}, Queued: map[string]int{}},
		usage: map[string]*usage{}}
	if in.Job == nil || state.Value(in.Job.Stop) {
		for _, a := range in.Allocs {
			switch {
			case state.ServerTerminal(a) || state.Terminal(a):
			case p.gone(a):
				p.lose(a)
			default:
				p.stop(a, NotNeeded)
			}
		}
		return p.plan
	}
	for _, group := range in.Job.TaskGroups {
		var own []*api.Allocation
		for _, a := range in.Allocs {
			if a.TaskGroup == state.Value(group.Name) {
				own = append(own, a)
			}
		}
		switch state.Value(in.Job.Type) {
		case state.TypeSystem, state.TypeSysBatch:
			p.everywhere(group, own)
		default:
			p.counted(group, own)
		}
	}
	p.dropRemovedGroups()
	return p.plan
}

// dropRemovedGroups stops what is of groups that the job has no more.
func (p *planner) dropRemovedGroups() {
	known := map[string]bool{}
	for _, group := range p.Job.TaskGroups {
		known[state.Value(group.Name)] = true
	}
	for _, a := range p.Allocs {
		if !known[a.TaskGroup] && !state.ServerTerminal(a) && !state.Terminal(a) {
			p.stop(a, NotNeeded)
		}
	}
}

// gone reports if the allocation's node can't run it any more.
func (p *planner) gone(a *api.Allocation) bool {
	node := p.Nodes[a.NodeID]
	return node == nil || node.Status == state.NodeDown
}

// stop has the client stop an allocation.
func (p *planner) stop(a *api.Allocation, why string) {
	c := *a
	c.DesiredStatus, c.DesiredDescription = state.DesiredStop, why
	p.plan.Changed = append(p.plan.Changed, &c)
}

// lose gives up an allocation whose client can't be told.
func (p *planner) lose(a *api.Allocation) {
	c := *a
	c.ClientStatus, c.ClientDescription = state.ClientLost, Lost
	if !state.ServerTerminal(a) {
		c.DesiredStatus, c.DesiredDescription = state.DesiredStop, Lost
	}
	p.plan.Changed = append(p.plan.Changed, &c)
}

// migrates reports if the drainer wants the allocation moved.
func migrates(a *api.Allocation) bool {
	return a.DesiredTransition.Migrate != nil && *a.DesiredTransition.Migrate
}
