package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// memberFacts is what a pool knows of one of its members.
func memberFacts(n *v1alpha1.NomadNode, link nomadlink.Link, now time.Time) pool.Member {
	rec := nodestate.Of(n)
	m := pool.Member{
		Name: n.Name, Host: n.Status.VM.Host, Revision: n.Spec.Revision, Created: n.CreationTimestamp.Time,
		Leaving: rec.Leaving(), Joined: rec.Joined, VMMade: rec.VMMade,
		JoinExpired: rec.JoinExpired(now), JoinDeadline: rec.JoinDeadline(),
		JoinedAt: nodestate.TimeOf(n.Status.JoinedTime), UnhealthySince: nodestate.TimeOf(n.Status.UnhealthySince),
		Halted: nodestate.Condition(n, v1alpha1.NodeVMReady).Reason == v1alpha1.ReasonVMStopped,
	}
	_, m.DeleteNext = n.Annotations[v1alpha1.DeleteNextAnnotation]
	_, m.Protected = n.Annotations[v1alpha1.ProtectAnnotation]
	v, found := link.View.Nodes[n.Spec.NodeID]
	if nodestate.TakenID(n) {
		v, found = nomad.Node{}, false
	}
	m.CreateIndex = v.CreateIndex
	if c := nodestate.Condition(n, v1alpha1.NodeReady); c.Status == "True" {
		m.Ready, m.ReadySince = true, c.LastTransitionTime.Time
	}
	if link.Known {
		setByNomad(&m, v, found, now)
	}
	if rec.Drain != nil {
		m.LeavingSince, m.LeavingReason, m.Returning = rec.Drain.Time.Time, rec.Drain.Reason, !rec.Leaving()
		m.Rescuable = rescuable(rec, v, found)
	}
	if c := nodestate.Condition(n, v1alpha1.NodeVMReady); !m.Ready && inTheWay(c.Reason, rec.VMMade) {
		m.Problem = &condition.Problem{Reason: c.Reason, Message: c.Message}
	}
	m.Stuck = nodestate.Condition(n, v1alpha1.NodeVMReady).Reason == v1alpha1.ReasonDeleteStuck
	return m
}

// setByNomad goes by what Nomad shows: the member's own condition may be old when Nomad has just come back, and a busy member would look
// broken.
func setByNomad(m *pool.Member, v nomad.Node, found bool, now time.Time) {
	up := found && v.Status == nomad.NodeReady
	if up { // seen before the member's own record tells
		m.Joined, m.JoinExpired = true, false
	}
	m.Down = found && v.Status == nomad.NodeDown
	m.Ready = up && v.Eligible && !v.Draining
	if m.Ready && m.ReadySince.IsZero() {
		m.ReadySince = now
	}
}

// inTheWay is true for a reason of a member's VMReady condition that says that the member can't be made, or can't begin to run,
// as things are. Of one without a VM that is every reason but those that it has on its way.
func inTheWay(reason string, made bool) bool {
	switch reason {
	case v1alpha1.ReasonVMUnschedulable, v1alpha1.ReasonVMAboveQuota:
		return true
	case "", v1alpha1.ReasonUnknown, v1alpha1.ReasonProvisioning, v1alpha1.ReasonVMStarting, v1alpha1.ReasonVMRunning:
		return false
	default:
		return !made
	}
}

// rescuable is true while a member's order to leave can be taken back, and that is of use: one whose node is down, or that
// somebody else drains, would fill the place of one that works.
func rescuable(rec nodestate.Record, v nomad.Node, found bool) bool {
	if rec.Drained || !rec.DeletedAt.IsZero() || !found || v.Status != nomad.NodeReady {
		return false
	}
	if v.Draining && (v.LastDrain == nil || v.LastDrain.IntentID != rec.Drain.ID) {
		return false
	}
	return rec.Drain.Reason == v1alpha1.DrainScaleIn || rec.Drain.Reason == v1alpha1.DrainRollout
}
