package sim

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// watchDrain is what Nomad's drainer does with a drain that was just set.
func (n *nomadServer) watchDrain(x *node, d *drain) {
	s := n.chance("drainer")
	n.when(s.between(150*time.Millisecond, 1200*time.Millisecond), func() { n.poll(x) })
	if d.force.IsZero() {
		return
	}
	// Deadlines are late: by a second, or by five when several are bundled.
	n.when(max(d.force.Sub(n.w.now), 0)+s.between(time.Second, 5*time.Second), func() {
		if x.drain == d {
			n.note(x.name, "the drain's deadline has passed: complete, while tasks are still stopping")
			for _, a := range n.live(x.id) {
				if a.job.kind != system || !d.ignoreSystem {
					n.stopAlloc(a)
				}
			}
			n.complete(x)
		}
	})
}

// poll is the drainer's check of one node.
func (n *nomadServer) poll(x *node) {
	if x.drain == nil || n.nodes[x.id] != x {
		return
	}
	left := 0
	var systems []*alloc
	for _, a := range n.live(x.id) {
		if a.job.kind == system {
			systems = append(systems, a)
			continue
		}
		left++
		if a.job.kind == service && !a.stopping && n.mayMigrate(a.job) {
			n.note(x.name, "moves %s away", a.name())
			n.stopAlloc(a)
		}
	}
	if left > 0 || x.missed {
		return
	}
	if !x.drain.ignoreSystem {
		for _, a := range systems {
			n.stopAlloc(a)
		}
	}
	n.complete(x)
}

// complete calls a drain complete. What still stops doesn't matter to Nomad.
func (n *nomadServer) complete(x *node) {
	n.note(x.name, "calls the drain complete, with %d allocations left", len(n.live(x.id)))
	x.drain = nil
	x.last.Status, x.last.UpdatedAt, x.touched = nomad.DrainComplete, n.w.now.Truncate(time.Second), n.w.now
	n.changed()
}

// mayMigrate reports whether enough of a job's allocations are healthy for one more to be stopped.
func (n *nomadServer) mayMigrate(j *job) bool {
	healthy := 0
	for _, a := range n.allocs {
		if a.job == j && a.healthy && !a.stopping {
			healthy++
		}
	}
	return healthy > j.count-j.parallel
}

// drainsOn has the drainer check the nodes that it drains, since something of a job has changed.
func (n *nomadServer) drainsOn(d time.Duration) {
	for _, nodeID := range n.order {
		if x := n.nodes[nodeID]; x.drain != nil {
			n.when(d, func() { n.poll(x) })
		}
	}
}

// lastEnded decides if the drainer notices that the last allocation that it waited for has ended. It never does for
// those of sysbatch jobs, and with several nodes draining it misses others.
func (n *nomadServer) lastEnded(x *node, a *alloc) {
	if x.drain == nil {
		return
	}
	for _, o := range n.live(x.id) {
		if o.job.kind != system {
			return
		}
	}
	if a.job.kind == sysbatch || a.job.kind != system && n.chance("drainer").once(n.w.Faults.Stalls) {
		n.note(x.name, "the drainer misses that the last allocation has ended")
		x.missed = true
	}
}
