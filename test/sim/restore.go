package sim

import (
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// restores is the name of what an operator does to Nomad's servers in some schedules. It isn't one of the acts, so that
// the others stay what they are in each schedule.
const restores = "restore Nomad"

// saved is what a snapshot of Nomad's servers has of a node's drain.
type saved struct {
	eligible   bool
	drain      *drain
	last       *nomad.Drain
	cordonedBy string
	cordonedAt time.Time
}

// restore has a snapshot of a Nomad's servers taken while something drains, most of all if a drain is about to be
// canceled, and brought back later.
func (n *nomadServer) restore() {
	w, s := n.w, n.chance(restores)
	if w.Without[restores] || !s.once(4) {
		return
	}
	at := s.between(time.Minute, max(w.Span-2*time.Minute, 2*time.Minute))
	w.after(at, func() { toAdd(w, -1) })
	at += s.between(time.Second, 15*time.Second)
	w.after(at, func() {
		if !w.faulty || !n.answers() {
			return
		}
		w.note("operator", "", "takes a snapshot of %s", n.name)
		taken := n.save()
		w.after(s.between(0, 5*time.Second), func() { toAdd(w, 1) })
		w.after(s.between(5*time.Second, 90*time.Second), func() {
			if w.faulty && n.answers() {
				n.bringBack(taken)
			}
		})
	})
}

// save is a snapshot of the servers' state.
func (n *nomadServer) save() map[string]saved {
	out := map[string]saved{}
	for nodeID, x := range n.nodes {
		if !x.owned {
			continue
		}
		s := saved{eligible: x.eligible, drain: x.drain, cordonedBy: x.cordonedBy, cordonedAt: x.cordonedAt}
		if x.last != nil {
			last := *x.last
			s.last = &last
		}
		out[nodeID] = s
	}
	return out
}

// bringBack restores a snapshot. Nodes that have joined since are forgotten, and their clients register again. What the
// clients run they run on.
func (n *nomadServer) bringBack(taken map[string]saved) {
	n.w.note("operator", "", "restores %s from the snapshot", n.name)
	n.ledSince, n.restored = n.w.now, n.w.now
	for _, nodeID := range slices.Clone(n.order) {
		x := n.nodes[nodeID]
		was, known := taken[nodeID]
		switch {
		case !x.owned:
		case !known:
			_ = n.purge(nodeID) // it is there
		default:
			x.eligible, x.drain, x.last, x.touched = was.eligible, was.drain, was.last, n.w.now
			x.cordonedBy, x.cordonedAt = was.cordonedBy, was.cordonedAt
			if m := n.w.checks.byNodeID[nodeID]; !x.eligible && x.drain == nil && x.cordonedBy == us && m != nil &&
				m.marked == "" {
				x.cordonedBy = operator // nobody can tell it from an operator's doing
			}
		}
	}
	n.newDrainer()
	n.changed()
	n.evaluate()
}
