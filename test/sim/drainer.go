package sim

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/drainer"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// The drainer of the servers is the stand-in's, and so are its faults. Here its time is virtual, it is late by chance,
// and it misses more ends than it would by itself.

// drainView is what the drainer looks at.
type drainView struct{ n *nomadServer }

// Draining are the nodes that drain.
func (v drainView) Draining() []*state.Node {
	var out []*state.Node
	for _, nodeID := range v.n.order {
		if x := v.n.nodes[nodeID]; x.drain != nil {
			out = append(out, x.api())
		}
	}
	return out
}

// OnNode are the allocations on a node.
func (v drainView) OnNode(id string) []*api.Allocation {
	return v.n.seen(func(a *alloc) bool { return a.node.id == id })
}

// OfJob are the allocations of a job.
func (v drainView) OfJob(_, id string) []*api.Allocation {
	return v.n.seen(func(a *alloc) bool { return a.job.name == id })
}

// newDrainer is what a new leader begins with: it looks at all drains anew.
func (n *nomadServer) newDrainer() {
	n.drainer = drainer.Drainer{}
	for _, nodeID := range n.order {
		if n.nodes[nodeID].drain != nil {
			n.drainer.Requested(nodeID, n.w.now)
		}
	}
	n.drainSoon()
}

// drainSoon has the drainer look at all that drains.
func (n *nomadServer) drainSoon() {
	n.drainIn(n.chance("drainer").between(150*time.Millisecond, 1200*time.Millisecond))
}

// drainIn has it look after a while, unless it looks earlier anyway.
func (n *nomadServer) drainIn(d time.Duration) {
	n.soon(&n.drainsAt, d, n.drainNow)
}

// drainNow does what the drainer decides.
func (n *nomadServer) drainNow() {
	actions := n.drainer.Decide(drainView{n}, n.w.now)
	for _, id := range actions.Migrate {
		if a := n.allocOf(id); a != nil && !a.moves && !a.stopping {
			n.note(a.node.name, "is to move %s away", a.name())
			a.moves = true
			n.evaluate()
		}
	}
	for _, done := range actions.Complete {
		x := n.nodes[done.NodeID]
		if done.DeadlineReached {
			n.note(x.name, "the drain's deadline has passed: complete, while tasks are still stopping")
		}
		n.complete(x)
	}
	if !actions.Wake.IsZero() {
		n.drainIn(max(actions.Wake.Sub(n.w.now), 0) + n.chance("drainer").between(0, 200*time.Millisecond))
	}
}

// complete calls a drain complete. What still stops doesn't matter to Nomad.
func (n *nomadServer) complete(x *node) {
	n.note(x.name, "calls the drain complete, with %d allocations left", len(n.live(x.id)))
	x.drain = nil
	x.last.Status, x.last.UpdatedAt, x.touched = nomad.DrainComplete, n.w.now.Truncate(time.Second), n.w.now
	n.changed()
}

// endSeen has the drainer learn that an allocation has ended, unless it misses that.
func (n *nomadServer) endSeen(a *alloc) {
	if a.node.drain != nil && a.job.kind != system && n.chance("drainer").once(n.w.Faults.Stalls) {
		n.note(a.node.name, "the drainer misses that %s has ended", a.name())
		return
	}
	n.drainer.Ended(a.seen(), n.w.now)
	n.drainSoon()
}
