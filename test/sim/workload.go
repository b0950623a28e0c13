package sim

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// The types of jobs.
const (
	service  = "service"
	batch    = "batch"
	system   = "system"
	sysbatch = "sysbatch"
)

type job struct {
	name, kind      string
	count, parallel int
	lasts           time.Duration // of batch and sysbatch
	disconnect      time.Duration // for how long its allocations may be out of touch; 0: not at all

	run  uint64            // counts how often it was registered
	over []*api.Allocation // batch and sysbatch: those that have ended
	api  *api.Job
}

// alloc is one allocation that lives. Those that have ended are forgotten.
type alloc struct {
	id       string
	job      *job
	node     *node
	status   string // pending or running; unknown while its node is disconnected; failed while its poststop task runs
	moves    bool   // the drainer wants it moved
	stopping bool
	stopped  time.Time // since when it is being stopped
	healthy  bool
	placed   time.Time
	api      *api.Allocation
}

func (a *alloc) name() string { return a.job.name + "." + a.id[:4] }

// live are the allocations on a node that Nomad calls live.
func (n *nomadServer) live(nodeID string) []*alloc {
	return slices.DeleteFunc(n.on(nodeID), func(a *alloc) bool { return a.status == failed })
}

// on are the allocations on a node whose tasks aren't all dead.
func (n *nomadServer) on(nodeID string) []*alloc {
	var out []*alloc
	for _, a := range n.allocs {
		if a.node.id == nodeID {
			out = append(out, a)
		}
	}
	return out
}

func (n *nomadServer) place(j *job, made *api.Allocation) {
	a := &alloc{id: made.ID, job: j, node: n.nodes[made.NodeID], status: "pending", placed: n.w.now, api: made}
	n.placed++
	made.CreateIndex, made.DeploymentStatus = n.placed, &api.AllocDeploymentStatus{}
	n.allocs = append(n.allocs, a)
	n.note(a.node.name, "places %s", a.name())
	s := n.chance("scheduler")
	n.when(s.between(300*time.Millisecond, 3*time.Second), func() {
		if n.lives(a) && !a.stopping {
			a.status = "running"
		}
	})
	n.when(s.between(3*time.Second, 12*time.Second), func() {
		if n.lives(a) && !a.stopping {
			a.healthy = true
			n.drainSoon()
		}
	})
	if j.lasts > 0 {
		end := func() { n.ended(a, "complete") }
		if s.once(6) {
			end = func() { n.fails(a) }
		}
		n.when(s.between(j.lasts/2, j.lasts), end)
	}
}

// failed is the status of an allocation with a task that failed.
const failed = "failed"

// fails is the failure of a task. Its allocation's poststop task runs then, which Nomad's drainer doesn't wait for.
func (n *nomadServer) fails(a *alloc) {
	if !n.lives(a) || a.status == failed {
		return
	}
	a.status = failed
	n.note(a.node.name, "%s fails, and cleans up", a.name())
	n.when(n.chance("workload").between(time.Second, 40*time.Second), func() { n.ended(a, "cleaned up") })
	n.overFor(a)
}

func (n *nomadServer) allocOf(id string) *alloc {
	for _, a := range n.allocs {
		if a.id == id {
			return a
		}
	}
	return nil
}

func (n *nomadServer) lives(a *alloc) bool { return slices.Contains(n.allocs, a) }

// stopAlloc has a client stop an allocation, for which its tasks get some time.
func (n *nomadServer) stopAlloc(a *alloc) {
	if a.stopping {
		return
	}
	a.stopping, a.stopped = true, n.w.now
	takes := n.chance("scheduler").rarely(4, 3*time.Second, 30*time.Second) + n.hang()
	n.when(takes, func() { n.ended(a, "complete") })
	n.evaluate()
}

// ended is the end of an allocation: how is its last status, unless it has failed before.
func (n *nomadServer) ended(a *alloc, how string) {
	if !n.lives(a) {
		return
	}
	n.allocs = slices.DeleteFunc(n.allocs, func(o *alloc) bool { return o == a })
	if a.status != failed {
		a.status = how
	}
	if a.job.kind == batch || a.job.kind == sysbatch {
		a.job.over = append(a.job.over, a.seen())
	}
	n.note(a.node.name, "%s is %s", a.name(), how)
	n.overFor(a)
}

// overFor has drainer and scheduler learn that an allocation is over.
func (n *nomadServer) overFor(a *alloc) {
	n.endSeen(a)
	n.evaluate()
}
