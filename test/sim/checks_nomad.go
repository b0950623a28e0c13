package sim

import (
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// onTheWay is by how much the times of a request may be off because it was long on its way.
const onTheWay = 90 * time.Second

// nomadNode returns a member's NomadNode.
func (c *checks) nomadNode(m *memberTruth) *v1alpha1.NomadNode {
	for _, o := range c.w.store.all(kindNode) {
		if n := o.(*v1alpha1.NomadNode); n.Spec.NodeID == m.nodeID {
			return n
		}
	}
	return nil
}

// asksNomad checks a write to Nomad before it takes effect.
func (c *checks) asksNomad(t *task, by *cluster, doing, nodeID string) {
	m, x := c.byNodeID[nodeID], by.nomad.nodes[nodeID]
	if c.off {
		return
	}
	if o := c.otherIDs[nodeID]; o != nil && doing == "purge" && t.what == "gc" {
		c.collected(t, o, "a Nomad node of another ID")
		return
	}
	if m == nil {
		c.w.violate("I6", nodeID, "%s of a Nomad node that isn't a member's", doing)
		return
	}
	if m.nomad != by.nomad {
		c.w.violate("I6", m.name, "%s in %s, and its guest is, or will be, in %s", doing, by.nomad.name, m.nomad.name)
		return
	}
	if doing == "purge" {
		c.collected(t, m, "its Nomad node")
	}
	switch {
	case doing == "purge" && c.instanceOf(m) != nil:
		c.w.violate("I4", m.name, "purged while its instance exists")
	case doing == "cordon" && !m.inForce("", t.readAt()):
		c.w.violate("I3", m.name, "made ineligible without a drain request that stands")
	case doing == "cancel drain" && x != nil && x.external(t.sights[by].asOf):
		c.w.violate("I6", m.name, "somebody else's drain was canceled")
	}
}

// external reports whether a node drains for somebody else, and did before.
func (x *node) external(before time.Time) bool {
	return x.drain != nil && x.last.DrainID == "" && x.touched.Before(before)
}

// drains checks a drain that a controller sends, found to be needed at found, before it takes effect.
func (c *checks) drains(t *task, by *cluster, doing, nodeID string, d *drain, found time.Time) {
	m, x := c.byNodeID[nodeID], by.nomad.nodes[nodeID]
	if m == nil || x == nil || c.off {
		return
	}
	if !m.inForce(d.request, t.readAt()) {
		c.w.violate("I3", m.name, "a drain without a drain request that stands")
		return
	}
	resend := strings.HasPrefix(doing, "resend")
	if at, resent := m.resent[d.request]; resend && resent && at.Before(found.Add(-onTheWay)) {
		c.w.violate("I3", m.name, "resent again")
	}
	if x.last != nil && x.last.AccessorID == us {
		c.sentOnce(m, x, d, resend || x.touched.After(found))
	}
	if n := c.nomadNode(m); x.external(t.sights[by].asOf) && n != nil && n.Spec.Drain != nil &&
		c.w.now.Before(n.Spec.Drain.DeadlineTime.Time) {
		c.w.violate("I3", m.name, "somebody else's drain was taken over before our own deadline")
	}
	c.notTooSoon(m, d)
	c.sentLate(m, d)
	if !resend {
		c.inTime(t, t.sights[by], m, x, d)
		m.drained[d.request] = c.w.now
	}
}

// uncordons checks that a node is made eligible only to take an order back, and that one which somebody else made
// ineligible, well before its drain was requested, isn't. A server that was behind may have shown it eligible.
func (c *checks) uncordons(nodeID string) {
	m, t := c.byNodeID[nodeID], c.w.running
	if m == nil {
		return
	}
	x := c.nodeOf(m)
	if x == nil || x.eligible {
		return
	}
	undone := x.last != nil && x.last.AccessorID == us && x.last.Status == nomad.DrainCanceled &&
		!x.touched.Before(t.began)
	if m.marked == "" && m.unmarked.Before(t.readAt()) && !undone {
		c.w.violate("I6", m.name, "made eligible without a drain request that is taken back")
		return
	}
	n := c.nomadNode(m)
	if x.cordonedBy != us && n != nil && n.Spec.Drain != nil &&
		(n.Status.CordonedDrain != n.Spec.Drain.ID || x.cordonedAt.Before(m.seenEligible)) &&
		x.cordonedAt.Before(n.Spec.Drain.RequestTime.Add(-onTheWay)) {
		c.w.violate("I6", m.name, "a node that somebody else made ineligible was made eligible")
	}
}

// sentOnce checks a drain that follows one of the controllers'. It is excused if it is resent, or if the node has
// changed since it was found to be needed.
func (c *checks) sentOnce(m *memberTruth, x *node, d *drain, excused bool) {
	same := x.last.DrainID == d.request
	inForce := x.drain != nil || x.last.Status == nomad.DrainComplete && !x.eligible
	switch {
	case same && (x.drain != nil && x.last.OnTimeout != d.onTimeout || c.stops(m, x, d)):
		// A user changed onTimeout while the member drains, which must reach Nomad. Or something runs on after the deadline.
	case same && inForce && !excused && x.last.IgnoreSystemJobs == d.ignoreSystem: // or a user has changed that
		c.w.violate("I3", m.name, "the drain was sent again under the same request")
	case x.drain != nil && x.drain.endsBefore(d) && (d.force.IsZero() || d.force.After(c.w.now)): // or both are over
		c.w.violate("I3", m.name, "Nomad's deadline moved from %s to %s", x.drain.force.Sub(epoch), d.force.Sub(epoch))
	}
}

// stops reports whether a drain has Nomad stop at once what is left after the deadline, and is the first to do so.
func (c *checks) stops(m *memberTruth, x *node, d *drain) bool {
	n := c.nomadNode(m)
	return d.now && !x.stops && n != nil && n.Spec.Drain != nil && !c.w.now.Before(n.Spec.Drain.DeadlineTime.Time)
}

// endsBefore reports whether d ends plainly earlier than the other.
func (d *drain) endsBefore(o *drain) bool {
	return !d.force.IsZero() && (o.force.IsZero() || o.force.After(d.force.Add(onTheWay)))
}

// notTooSoon checks that no drain stops allocations before the drain request's deadline.
func (c *checks) notTooSoon(m *memberTruth, d *drain) {
	n := c.nomadNode(m)
	if n == nil || n.Spec.Drain == nil || n.Spec.Drain.ID != d.request || d.force.IsZero() {
		return
	}
	if by := c.nodeOf(m).drain; by != nil && by.unmarked && !by.force.IsZero() &&
		!d.force.Before(by.force.Add(-10*time.Second)) {
		return // somebody else has given it an end that is no later
	}
	if d.force.Before(n.Spec.Drain.DeadlineTime.Add(-10 * time.Second)) {
		c.w.violate("I1", m.name, "Nomad was to stop everything at %s, but the deadline is %s", d.force.Sub(epoch),
			n.Spec.Drain.DeadlineTime.Sub(epoch))
	}
}
