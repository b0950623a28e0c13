package sim

import (
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// onTheWay is by how much the times of a request may be off because it was long on its way.
const onTheWay = 90 * time.Second

// record is a member's NomadNode.
func (c *checks) record(m *memberTruth) *v1alpha1.NomadNode {
	for _, o := range c.w.store.all(kindNode) {
		if n := o.(*v1alpha1.NomadNode); n.Spec.NodeID == m.nodeID {
			return n
		}
	}
	return nil
}

// asksNomad checks a write to Nomad before it takes effect.
func (c *checks) asksNomad(t *task, doing, nodeID string) {
	m, x := c.byNodeID[nodeID], c.w.nomad.nodes[nodeID]
	if m == nil {
		c.w.violate("I6", nodeID, "%s of a Nomad node that isn't a member's", doing)
		return
	}
	if doing == "purge" {
		c.sweeps(t, m, "its Nomad node")
	}
	switch {
	case doing == "purge" && c.instanceOf(m) != nil:
		c.w.violate("I4", m.name, "purged while its instance exists")
	case doing == "cordon" && !m.stands("", t.readAt()):
		c.w.violate("I3", m.name, "made ineligible without an intent that stands")
	case doing == "cancel drain" && x != nil && x.foreign(t.asOf):
		c.w.violate("I6", m.name, "somebody else's drain was canceled")
	}
}

// foreign is true for a node that drains for somebody else, and did before.
func (x *node) foreign(before time.Time) bool {
	return x.drain != nil && x.last.AccessorID != us && x.touched.Before(before)
}

// drains checks a drain that a controller sends, found to be needed at looked, before it takes effect.
func (c *checks) drains(t *task, doing, nodeID string, d *drain, looked time.Time) {
	m, x := c.byNodeID[nodeID], c.w.nomad.nodes[nodeID]
	if m == nil || x == nil {
		return
	}
	if !m.stands(d.intent, t.readAt()) {
		c.w.violate("I3", m.name, "a drain without an intent that stands")
		return
	}
	kick := strings.HasPrefix(doing, "kick")
	if at, kicked := m.kicked[d.intent]; kick && kicked && at.Before(looked.Add(-onTheWay)) {
		c.w.violate("I3", m.name, "kicked again")
	}
	if x.last != nil && x.last.AccessorID == us {
		c.sentOnce(m, x, d, kick || x.touched.After(looked))
	}
	if n := c.record(m); x.foreign(t.asOf) && n != nil && n.Spec.Drain != nil &&
		c.w.now.Before(n.Spec.Drain.DeadlineTime.Time) {
		c.w.violate("I3", m.name, "somebody else's drain was taken over before our own deadline")
	}
	c.notTooSoon(m, d)
}

// uncordons checks that a node is made eligible only to take an order back, and that one which somebody else made
// ineligible, well before its member was ordered to leave, isn't.
func (c *checks) uncordons(nodeID string) {
	m, x, t := c.byNodeID[nodeID], c.w.nomad.nodes[nodeID], c.w.running
	if m == nil || x == nil || x.eligible {
		return
	}
	if m.marked == "" && m.unmarked.Before(t.readAt()) {
		c.w.violate("I6", m.name, "made eligible without an intent that is taken back")
		return
	}
	n := c.record(m)
	if x.cordonedBy != us && n != nil && n.Spec.Drain != nil &&
		x.cordonedAt.Before(n.Spec.Drain.RequestTime.Add(-onTheWay)) {
		c.w.violate("I6", m.name, "a node that somebody else made ineligible was made eligible")
	}
}

// sentOnce checks a drain that follows one of ours. It is excused if it is a kick, or if the node has changed since
// it was found to be needed.
func (c *checks) sentOnce(m *memberTruth, x *node, d *drain, excused bool) {
	same := x.last.DrainID == d.intent
	stands := x.drain != nil || x.last.Status == nomad.DrainComplete && !x.eligible
	switch {
	case same && x.drain != nil && x.last.OnTimeout != d.onTimeout:
		// A user changed onTimeout while the member drains, which Nomad must be told.
	case same && stands && !excused && x.last.IgnoreSystemJobs == d.ignoreSystem: // or a user has changed that
		c.w.violate("I3", m.name, "the drain was sent again under the same intent")
	case x.drain != nil && x.drain.endsBefore(d):
		c.w.violate("I3", m.name, "Nomad's deadline moved from %s to %s", x.drain.force.Sub(dawn), d.force.Sub(dawn))
	}
}

// endsBefore is true if d ends plainly earlier than the other.
func (d *drain) endsBefore(o *drain) bool {
	return !d.force.IsZero() && (o.force.IsZero() || o.force.After(d.force.Add(onTheWay)))
}

// notTooSoon checks that no drain stops allocations before the intent's deadline.
func (c *checks) notTooSoon(m *memberTruth, d *drain) {
	n := c.record(m)
	if n == nil || n.Spec.Drain == nil || n.Spec.Drain.ID != d.intent || d.force.IsZero() {
		return
	}
	if d.force.Before(n.Spec.Drain.DeadlineTime.Add(-10 * time.Second)) {
		c.w.violate("I1", m.name, "Nomad was told to stop everything at %s, but the deadline is %s", d.force.Sub(dawn),
			n.Spec.Drain.DeadlineTime.Sub(dawn))
	}
}
