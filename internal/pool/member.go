package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// MemberOf is what a pool knows of one of its members: of its state what the record says, and the Nomad node. The VM
// is looked at by the member's own controller alone, which writes down what a pool must know of it: what is in the
// way, and since when there is room, have to be of one moment.
func MemberOf(s nodestate.State) Member {
	r := s.Node
	m := Member{
		Name: r.Name, Host: r.Host, Revision: r.Revision, Created: r.Made, DeleteNext: r.DeleteNext, Protected: r.Protected,
		Leaving: r.Leaving(), Joined: r.Joined, VMMade: r.VMMade, JoinExpired: r.JoinExpired(s.Now), JoinDeadline: r.JoinDeadline(),
		JoinedAt: r.JoinedAt, UnhealthyTime: r.UnhealthyTime, Ready: r.Ready, ReadySince: r.ReadySince,
		Halted: r.BlockedBy == v1alpha1.BlockedByHalt, Stuck: r.BlockedBy == v1alpha1.BlockedByRemoval,
	}
	n := s.Nomad
	if r.IDTaken {
		n = nodestate.Nomad{Known: n.Known}
	}
	m.CreateIndex = n.CreateIndex
	if n.Known {
		setByNomad(&m, n, s.Now)
	}
	if r.Drain != nil {
		m.LeavingSince, m.LeavingReason, m.CancelingDrain = r.Drain.RequestTime.Time, r.Drain.Reason, !r.Leaving()
		m.Rescuable = isRescuable(r, n)
	}
	if !m.Ready && inTheWay(r.BlockedBy, r.VMMade) {
		m.Blocked = r.Blocked()
	}
	return m
}

// setByNomad goes by what Nomad shows: the member's own condition may be old when Nomad has just come back, and a
// busy member would look broken.
func setByNomad(m *Member, n nodestate.Nomad, now time.Time) {
	up := n.Registered && n.Status == "ready"
	if up { // seen before the member's own record tells
		m.Joined, m.JoinExpired = true, false
	}
	m.Down = n.Registered && n.Status == "down"
	m.Ready = n.Ready()
	if m.Ready && m.ReadySince.IsZero() {
		m.ReadySince = now
	}
}

// inTheWay is true for what keeps a member from being made, or from beginning to run, as things are.
func inTheWay(by v1alpha1.BlockedCause, made bool) bool {
	switch by {
	case v1alpha1.BlockedByCapacity:
		return true
	case "", v1alpha1.BlockedByHalt:
		return false
	default:
		return !made
	}
}

// isRescuable is true while a member's order to leave can be taken back, and that is of use: one whose node is down,
// or that somebody else drains, would fill the place of one that works.
func isRescuable(r nodestate.Node, n nodestate.Nomad) bool {
	if r.Drained || !r.DeletedAt.IsZero() || !n.Registered || n.Status != "ready" {
		return false
	}
	if n.Draining && n.DrainID != r.Drain.ID {
		return false
	}
	return r.Drain.Reason == v1alpha1.DrainScaleIn || r.Drain.Reason == v1alpha1.DrainRollout
}
