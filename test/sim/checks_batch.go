package sim

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// notTwice checks that a pool cancels no drain that stops a batch job's allocation, as it could see: the drain's
// deadline, or the last moment of which it knows the allocations, was over when that was stopped.
func (c *checks) notTwice(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	x := c.nodeOf(m)
	if x == nil {
		return
	}
	known := t.began.Add(-allocationsLimit)
	for _, a := range x.in.on(m.nodeID) {
		if a.job.kind != batch || !a.stopping || a.status == failed { // of that Nomad waits for nothing any more
			continue
		}
		forced := x.last != nil && x.last.DrainID == n.Spec.Drain.ID && !n.Spec.Drain.DeadlineTime.After(t.began)
		if forced || a.stopped.Before(known) {
			c.w.violate("I1", m.name, "a drain was canceled while %s, of a batch job, is being stopped", a.name())
		}
	}
}
