package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// The types of jobs.
const (
	service  = "service"
	batch    = "batch"
	system   = "system"
	sysbatch = "sysbatch"
)

// perNode is how many allocations of services fit on a node.
const perNode = 4

type job struct {
	name, kind      string
	count, parallel int
	lasts           time.Duration // of batch and sysbatch
	disconnect      time.Duration // for how long its allocations may be out of touch; 0: not at all
	left            int           // batch: how many are still to be run
}

// alloc is one allocation that lives. Those that have ended are forgotten.
type alloc struct {
	id       string
	job      *job
	node     *node
	status   string // pending or running; unknown while its node is disconnected; failed while its poststop task runs
	stopping bool
	stopped  time.Time // since when it is being stopped
	healthy  bool
	placed   time.Time
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

// evaluate has the scheduler consider all jobs soon.
func (n *nomadServer) evaluate() {
	n.when(n.chance("scheduler").between(50*time.Millisecond, 500*time.Millisecond), func() {
		for _, j := range n.jobs {
			n.schedule(j)
		}
	})
}

func (n *nomadServer) schedule(j *job) {
	switch j.kind {
	case system, sysbatch:
		for _, nodeID := range n.order {
			x := n.nodes[nodeID]
			if x.owned && x.takes() && !n.has(x, j) && (j.kind == system || j.left > 0) {
				j.left--
				n.place(j, x)
			}
		}
	default:
		for n.missing(j) > 0 {
			x := n.roomiest()
			if x == nil {
				return
			}
			j.left--
			n.place(j, x)
		}
	}
}

func (n *nomadServer) missing(j *job) int {
	if j.kind == batch {
		return j.left
	}
	missing := j.count
	for _, a := range n.allocs {
		if a.job == j && !a.stopping {
			missing--
		}
	}
	return missing
}

func (n *nomadServer) has(x *node, j *job) bool {
	return slices.ContainsFunc(n.allocs, func(a *alloc) bool { return a.node == x && a.job == j })
}

func (x *node) takes() bool { return x.status == nomad.NodeReady && x.eligible && x.drain == nil }

func (n *nomadServer) roomiest() *node {
	var best *node
	least := perNode
	for _, nodeID := range n.order {
		x := n.nodes[nodeID]
		used := 0
		for _, a := range n.on(nodeID) {
			if a.job.kind != system && a.job.kind != sysbatch {
				used++
			}
		}
		if x.takes() && x.owned && used < least {
			best, least = x, used
		}
	}
	return best
}

func (n *nomadServer) place(j *job, x *node) {
	n.made++
	a := &alloc{id: fmt.Sprintf("%04x-alloc", n.made), job: j, node: x, status: "pending", placed: n.w.now}
	n.allocs = append(n.allocs, a)
	n.note(x.name, "places %s", a.name())
	s := n.chance("scheduler")
	n.when(s.between(300*time.Millisecond, 3*time.Second), func() {
		if n.lives(a) && !a.stopping {
			a.status = "running"
		}
	})
	n.when(s.between(3*time.Second, 12*time.Second), func() {
		if n.lives(a) && !a.stopping {
			a.healthy = true
			n.drainsOn(s.between(100*time.Millisecond, time.Second))
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

// ended is the end of an allocation. A lost one is run anew.
func (n *nomadServer) ended(a *alloc, how string) {
	if !n.lives(a) {
		return
	}
	n.allocs = slices.DeleteFunc(n.allocs, func(o *alloc) bool { return o == a })
	if a.job.kind == batch && how == "lost" && a.status != failed {
		a.job.left++
	}
	n.note(a.node.name, "%s is %s", a.name(), how)
	n.overFor(a)
}

// overFor has drainer and scheduler learn that an allocation is over.
func (n *nomadServer) overFor(a *alloc) {
	n.lastEnded(a.node, a)
	n.drainsOn(n.chance("drainer").between(150*time.Millisecond, 1200*time.Millisecond))
	n.evaluate()
}
