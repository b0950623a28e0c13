package sim

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// force is the drain of a member that is to end at its deadline, whatever is left.
type force struct {
	request  string
	deadline time.Time
	// since is when it became so: what was asked for may have been changed.
	since time.Time
}

// forcesOf returns the member's drain request, if it is forced; the zero value if it isn't, or is over.
func forcesOf(n *v1alpha1.NomadNode) force {
	in := n.Spec.Drain
	if in == nil || in.Canceled || n.Spec.Nomad.Address == nowhere ||
		meta.IsStatusConditionTrue(n.Status.Conditions, v1alpha1.NodeDrainCompleted) ||
		n.Spec.ScaleIn.Drain.OnTimeout == v1alpha1.DrainRetain {
		return force{}
	}
	return force{request: in.ID, deadline: in.DeadlineTime.Time}
}

// isForced keeps the books on since when a member's drain has been forced as it is.
func (m *memberTruth) isForced(n *v1alpha1.NomadNode, now time.Time) {
	f := forcesOf(n)
	f.since = now
	if f.request == m.force.request && f.deadline.Equal(m.force.deadline) {
		f.since = m.force.since
	}
	m.force = f
}

// lateForce is how much later than it must a forced drain may be found to be over, and lateWithFaults while requests
// fail, and are sent again later and later.
const lateForce, lateWithFaults = time.Minute, 4 * time.Minute

// watchForce looks at all forced drains, again and again.
func (c *checks) watchForce() {
	c.w.after(10*time.Second, func() {
		late := lateForce
		if c.w.faulty || c.w.now.Sub(c.w.calm) < lateWithFaults {
			late = lateWithFaults
		}
		for _, o := range c.w.store.all(kindNode) {
			if m := c.members[o.GetName()]; m != nil && m.force.request != "" {
				c.endsInTime(m, late)
			}
		}
		c.watchForce()
	})
}

// endsInTime checks that a forced drain is over by its deadline and the time that tasks have to stop. That begins later
// if somebody asked for it later, if it was sent only after the deadline, or if the controllers couldn't do, or know,
// anything.
func (c *checks) endsInTime(m *memberTruth, late time.Duration) {
	f := m.force
	from := latest(f.deadline, f.since, m.lateSent[f.request], c.disturbed())
	if over := c.w.now.Sub(from); over > member.ForceGrace+late {
		c.w.violate("I1", m.name, "a forced drain isn't over %s after its deadline", over)
	}
}

// askedToStop checks that what a forced drain cuts off was asked to stop before, so that it had the time that its job
// was promised: that Nomad knew of the deadline. Whoever undoes its drain takes that time away.
func (c *checks) askedToStop(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	x := c.nodeOf(m)
	if x == nil || !c.couldAsk(t, x) || n.Spec.Drain != nil && x.undone.After(n.Spec.Drain.RequestTime.Time) {
		return
	}
	for _, a := range c.atStake(m, n) {
		if a.node == x && !a.stopping && !a.moves && a.status != failed {
			c.w.violate("I1", m.name, "%s was cut off, and had never been asked to stop", a.name())
		}
	}
}

// couldAsk reports whether a node's Nomad could be asked to stop something there, and for long enough.
func (c *checks) couldAsk(t *task, x *node) bool {
	asked := t.p.clusterOf(t)
	if x.status != nomad.NodeReady || !x.in.answers() || asked == nil || asked.nomad != x.in || !t.asks.known {
		return false
	}
	disturbed := c.w.faulty && c.w.now.Sub(c.disturbed()) < lateWithFaults
	return !disturbed && !c.w.ledAfter(t.began.Add(-lateForce))
}

// sentLate notes the first drain for a request that is sent after its deadline.
func (c *checks) sentLate(m *memberTruth, d *drain) {
	n := c.nomadNode(m)
	if n == nil || n.Spec.Drain == nil || n.Spec.Drain.ID != d.request || !m.lateSent[d.request].IsZero() {
		return
	}
	if !c.w.now.Before(n.Spec.Drain.DeadlineTime.Time) {
		m.lateSent[d.request] = c.w.now
	}
}

// disturbed is when something last kept the controllers from asking Nomad, or from knowing what it answered before.
func (c *checks) disturbed() time.Time {
	times := []time.Time{c.w.led}
	for _, n := range c.w.nomads() {
		times = append(times, n.away, n.slow, n.readJobLost, n.ledSince, n.restored)
	}
	for _, p := range c.w.processes {
		times = append(times, p.died)
		for _, way := range p.clusters {
			times = append(times, way.cut)
		}
	}
	return latest(append(times, c.w.processes[len(c.w.processes)-1].booted)...)
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
