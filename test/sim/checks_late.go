package sim

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// leastTime is what a drain leaves allocations at least, or half of its time, whichever is less.
const leastTime = 2 * time.Minute

// extends reports whether a change of a drain request gives a drain that was not sent its time. Nomad was asked if that
// is so.
func (c *checks) extends(t *task, m *memberTruth, was, is *v1alpha1.DrainRequest) bool {
	seen, asked := t.observed[m.nodeID]
	x := c.nodeOf(m)
	sent := x != nil && x.last != nil && x.last.DrainID == was.ID
	unsent := asked && (!sent || x.touched.After(seen.at))
	for _, x := range c.w.nodes() { // to those of other IDs none is sent, be they seen all the while or now and then
		_, asked := t.observed[x.id]
		unsent = unsent || c.otherIDs[x.id] == m && asked && len(x.in.on(x.id)) > 0
	}
	extends := t.what == "node" && unsent &&
		is.DeadlineTime.After(was.DeadlineTime.Time) && is.RequestTime.Equal(&was.RequestTime)
	if extends {
		m.extended[is.ID] = c.w.now
	}
	return extends
}

// drainedSince is for how long a node has been drained, if it is, or was at a time.
func (x *node) drainedSince(at, now time.Time) time.Duration {
	if x.drain != nil || x.last != nil && x.last.Status == nomad.DrainComplete &&
		!x.last.UpdatedAt.Before(at.Truncate(time.Second)) {
		return now.Sub(x.last.StartedAt)
	}
	return 0
}

// inTime checks that the first drain under a request doesn't stop allocations that had no time to move, though nothing
// asked for that. For how long they have been drained by somebody else counts, also if that ended while the reconcile
// ran.
func (c *checks) inTime(t *task, s *sight, m *memberTruth, x *node, d *drain) {
	n := c.nomadNode(m)
	if n == nil || n.Spec.Drain == nil || n.Spec.Drain.ID != d.request || d.force.IsZero() ||
		n.Spec.Drain.Reason == v1alpha1.DrainVMDeleted || x.last != nil && x.last.DrainID == d.request {
		return
	}
	// It isn't the first, and Nomad wasn't away since, or it was given its time again since, which is done once.
	if sent := m.drained[d.request]; !sent.IsZero() && !latest(sent, m.extended[d.request]).Before(s.recovered) {
		return
	}
	in := n.Spec.Drain
	whole := min(in.DeadlineTime.Sub(in.RequestTime.Time), n.Spec.ScaleIn.Drain.Deadline.Duration)
	given := d.force.Sub(c.w.now) + x.drainedSince(t.began, c.w.now)
	if whole > 0 && given < min(leastTime, whole/2) && (x.drain == nil || x.touched.Before(s.asOf)) &&
		len(x.in.live(x.id)) > 0 { // those of a client that was away longer than its heartbeat are lost already
		c.w.violate("I1", m.name, "a drain that was never sent gives allocations %s, of %s", given, whole)
	}
}
