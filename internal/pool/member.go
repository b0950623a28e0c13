package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// MemberOf returns what a pool knows of one of its members: what its NomadNode says, and its Nomad node. The pool
// doesn't read the VM. The member's own controller does, and writes what a pool must know of it: what blocks the member
// and since when there is capacity must be of one moment.
func MemberOf(s nodestate.State) Member {
	r := s.Node
	m := Member{
		Name: r.Name, Host: r.Host, Revision: r.Revision, Created: r.Made, DeleteNext: r.DeleteNext, Protected: r.Protected,
		Leaving: r.Leaving(), Joined: r.Joined, JoinedAt: r.JoinedAt, VMMade: r.VMMade,
		JoinExpired: r.JoinExpired(s.Now), JoinDeadline: r.JoinDeadline(),
		CertificateEnd: r.CertificateEnd,
		UnhealthyTime:  r.UnhealthyTime, Ready: r.Ready, ReadySince: r.ReadySince,
		Halted: r.BlockedBy == v1alpha1.BlockedByHalt, Stuck: r.BlockedBy == v1alpha1.BlockedByRemoval,
	}
	n := s.Nomad
	m.NomadUnknown, m.NomadNotAsked, m.NomadRecovered = !n.Known, n.NotAsked, s.NomadRecovered
	if r.IDTaken {
		n = nodestate.Nomad{Known: n.Known}
	}
	m.CreateIndex = n.CreateIndex
	if n.Known {
		setByNomad(&m, n, s.Now)
	} else {
		m.WorkedLast = r.Phase == v1alpha1.NodePhaseReady
	}
	if r.Drain != nil {
		m.LeavingSince, m.LeavingReason, m.CancelingDrain = r.Drain.RequestTime.Time, r.Drain.Reason, !r.Leaving()
		m.Reclaimable = isReclaimable(r, n) && !stopsBatch(r, n, s.Now)
	}
	if !m.Ready && isBlocked(r.BlockedBy, r.VMMade) {
		m.Blocked = r.Blocked()
	}
	return m
}

// setByNomad takes health from Nomad itself: the member's condition may be old when Nomad has just come back, and a
// busy member would look broken.
func setByNomad(m *Member, n nodestate.Nomad, now time.Time) {
	if n.Up() { // Nomad shows it before the member's own status does
		m.Joined, m.JoinExpired = true, false
	}
	m.Down = n.Registered && n.Status == "down"
	m.Ready = n.Ready()
	if m.Ready && m.ReadySince.IsZero() {
		m.ReadySince = now
	}
}

// isBlocked reports whether a cause keeps a member from being made, from beginning to run, or from being replaced.
func isBlocked(by v1alpha1.BlockedCause, made bool) bool {
	switch by {
	case v1alpha1.BlockedByCapacity, v1alpha1.BlockedByOtherNode:
		return true
	case "", v1alpha1.BlockedByHalt:
		return false
	default:
		return !made
	}
}

// isReclaimable reports whether a member's drain can be canceled, and that is of use: a member whose node is down, or
// that somebody else drains, would take the place of one that works.
func isReclaimable(r nodestate.Node, n nodestate.Nomad) bool {
	if r.Drained || !r.DeletedAt.IsZero() || !n.Up() {
		return false
	}
	if n.Draining && n.DrainID != r.Drain.ID {
		return false
	}
	return r.Drain.Reason == v1alpha1.DrainScaleIn || r.Drain.Reason == v1alpha1.DrainRollout
}
