package sim

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// stubborn is the name of what makes drains end late in some schedules: tasks that don't stop when they are told to,
// and servers that report at each poll that a drain was sent, or ended, just now. It isn't one of the acts, so that the
// others stay what they are in each schedule.
const stubborn = "never stop"

// resist begins that.
func (w *Environment) resist() {
	s := w.chance.of(stubborn)
	if w.Without[stubborn] || !s.once(4) {
		return
	}
	restless := s.once(2)
	for _, n := range w.nomads() {
		if n.hangs, n.restless = s, restless; restless {
			n.stir()
		}
	}
}

// stir has restless servers answer lists that wait for a change, while a node is, or was, drained.
func (n *nomadServer) stir() {
	n.w.after(10*time.Second, func() {
		for _, nodeID := range n.order {
			if x := n.nodes[nodeID]; x.last != nil && !x.eligible && n.answers() {
				n.changed()
				break
			}
		}
		n.stir()
	})
}

// hang is how much longer than usual a task takes to stop.
func (n *nomadServer) hang() time.Duration {
	if n.hangs == nil || !n.hangs.once(2) {
		return 0
	}
	return n.hangs.between(5*time.Minute, 2*time.Hour)
}

// report is what the servers say of a node.
func (n *nomadServer) report(x *node) nomad.Node {
	out := x.seen()
	if n.restless && out.LastDrain != nil {
		out.LastDrain.UpdatedAt = n.w.now.Truncate(time.Second)
	}
	return out
}
