package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/scheduler"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// The scheduler of the servers is the stand-in's, too.

const (
	// taskGroup is what the only group of each job is called, and driver what runs its task.
	taskGroup, driver = "work", "raw_exec"
	// nodeMHz and nodeMB are what a node has, and perNode how many allocations of services and batch jobs fit in there.
	nodeMHz, nodeMB, perNode = 1000, 1000, 4
)

// evaluate has the scheduler consider all jobs soon, unless it does so earlier anyway.
func (n *nomadServer) evaluate() {
	n.soon(&n.schedulesAt, n.chance("scheduler").between(50*time.Millisecond, 500*time.Millisecond), func() {
		for _, j := range n.jobs {
			n.schedule(j)
		}
	})
}

// schedule does what the scheduler decides of a job.
func (n *nomadServer) schedule(j *job) {
	nodes := map[string]*state.Node{}
	for _, nodeID := range n.order {
		if x := n.nodes[nodeID]; x.owned {
			nodes[nodeID] = x.api()
		}
	}
	plan := scheduler.Decide(scheduler.Input{
		Job: j.seen(), Nodes: nodes, Now: n.w.now, EvalID: "evaluation",
		Allocs: append(slices.Clone(j.over), n.seen(func(a *alloc) bool { return a.job == j })...),
		On: func(nodeID string) []*api.Allocation {
			return n.seen(func(a *alloc) bool { return a.node.id == nodeID })
		},
		NewID: func() string {
			n.made++
			return fmt.Sprintf("%04x-alloc", n.made)
		},
	})
	for _, changed := range plan.Changed {
		a := n.allocOf(changed.ID)
		switch {
		case a == nil:
		case changed.ClientStatus == state.ClientLost:
			n.ended(a, state.ClientLost)
		case state.ServerTerminal(changed):
			n.stopAlloc(a)
		}
	}
	for _, made := range plan.New {
		n.place(j, made)
	}
}

// seen are the allocations that aren't over, as drainer and scheduler see them.
func (n *nomadServer) seen(of func(*alloc) bool) []*api.Allocation {
	var out []*api.Allocation
	for _, a := range n.allocs {
		if of(a) {
			out = append(out, a.seen())
		}
	}
	return out
}

// api is a node as drainer and scheduler see it.
func (x *node) api() *state.Node {
	if x.seenAs == nil {
		x.seenAs = &state.Node{Node: api.Node{
			ID: x.id, NodePool: api.NodePoolDefault,
			Drivers: map[string]*api.DriverInfo{driver: {Detected: true, Healthy: true}},
			NodeResources: &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: nodeMHz},
				Memory: api.NodeMemoryResources{MemoryMB: nodeMB}},
		}}
	}
	out := x.seenAs
	out.Status, out.SchedulingEligibility, out.DrainStrategy = x.status, state.Ineligible, nil
	if x.eligible {
		out.SchedulingEligibility = state.Eligible
	}
	if x.drain != nil {
		out.DrainStrategy = &api.DrainStrategy{DrainSpec: api.DrainSpec{IgnoreSystemJobs: x.drain.ignoreSystem}}
		if !x.drain.force.IsZero() {
			out.DrainStrategy.Deadline, out.DrainStrategy.ForceDeadline = time.Second, x.drain.force.Add(x.drain.late)
		}
	}
	return out
}

// seen is an allocation as drainer and scheduler see it.
func (a *alloc) seen() *api.Allocation {
	out := a.api
	out.ClientStatus, out.DesiredStatus = a.status, state.DesiredRun
	if a.stopping {
		out.DesiredStatus = state.DesiredStop
	}
	out.DeploymentStatus.Healthy = &a.healthy
	if a.moves {
		out.DesiredTransition.Migrate = &a.moves
		if a.job.kind == batch {
			out.DesiredTransition.MigrateDisablePlacement = &a.moves
		}
	}
	return out
}

// seen is a job as drainer and scheduler see it: of each of its runs there is one, which its allocations keep.
func (j *job) seen() *api.Job {
	if j.api != nil && *j.api.CreateIndex == j.run && *j.api.TaskGroups[0].Count == j.count {
		return j.api
	}
	resources := &api.Resources{CPU: new(nodeMHz / perNode), MemoryMB: new(nodeMB / perNode)}
	if j.kind == system || j.kind == sysbatch {
		resources = &api.Resources{}
	}
	j.api = &api.Job{ID: &j.name, Type: &j.kind, CreateIndex: new(j.run),
		Spreads: []*api.Spread{{Attribute: "${node.unique.id}"}},
		TaskGroups: []*api.TaskGroup{{
			Name: new(taskGroup), Count: new(j.count), Migrate: &api.MigrateStrategy{MaxParallel: new(j.parallel)},
			Tasks: []*api.Task{{Name: taskGroup, Driver: driver, Resources: resources}},
		}}}
	return j.api
}
