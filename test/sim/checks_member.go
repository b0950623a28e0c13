package sim

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	nodectrl "github.com/nomad-harvester/nomad-harvester/controllers/node"
)

// waitedFor are the allocations that a member's drain waits for.
func (c *checks) waitedFor(m *memberTruth, p v1alpha1.DrainPolicy) []*alloc {
	var out []*alloc
	var on []*alloc
	for _, n := range c.w.nomads() {
		on = append(on, n.on(m.nodeID)...)
	}
	for _, x := range c.othersOf(m) {
		on = append(on, x.in.on(x.id)...)
	}
	for _, a := range on {
		if a.job.kind != system || !p.IgnoreSystemJobs {
			out = append(out, a)
		}
	}
	return out
}

// drained checks that the point of no return is passed rightly.
func (c *checks) drained(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	m.drainedAt = c.w.now
	d := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.NodeDrainCompleted)
	if n.Spec.Drain == nil {
		c.w.violate("I1", m.name, "Drained without a drain request")
		return
	}
	if d.Reason == v1alpha1.ReasonDeadline {
		c.givenUp(t, m, n)
		return
	}
	if vm := c.vmOf(m); vm == nil || vm.DeletionTimestamp != nil {
		return // somebody else's doing
	}
	m.drainedUnseen = c.unseen(t, m, n)
	for _, a := range c.atStake(m, n) {
		if c.couldSee(t, m, a) && !m.drainedUnseen {
			c.w.violate("I1", m.name, "called drained (%s) while %s lives", d.Reason, a.name())
		}
	}
}

// givenUp checks that a drain is given up only after its deadline, and unasked only if Nomad was asked in vain.
func (c *checks) givenUp(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	m.forced = true
	switch {
	case c.w.now.Before(n.Spec.Drain.DeadlineTime.Time) || n.Spec.ScaleIn.Drain.OnTimeout == v1alpha1.DrainRetain:
		c.w.violate("I1", m.name, "given up at a deadline that hasn't passed, or with onTimeout Retain")
	case t.asks.notAsked && !c.w.ledAfter(t.began) && len(c.atStake(m, n)) > 0:
		c.w.violate("I1", m.name, "given up by a controller that has just started, and has not asked Nomad")
	}
}

// atStake are the allocations that would be lost if the member's guest stopped now.
func (c *checks) atStake(m *memberTruth, n *v1alpha1.NomadNode) []*alloc {
	if g := c.guestOf(m); g == nil || !g.lives {
		return nil
	}
	return c.waitedFor(m, n.Spec.ScaleIn.Drain)
}

// vmStopped checks I1: no guest with live allocations is stopped by us, be it that its VM is deleted or halted,
// unless its deadline has passed.
func (c *checks) vmStopped(t *task, m *memberTruth, vm *kubevirtv1.VirtualMachine) {
	n, _ := c.w.store.get(id{kindNode, vm.Namespace, m.name}).(*v1alpha1.NomadNode)
	switch {
	case n == nil && vm.DeletionTimestamp != nil:
		return // deleted before, when there was one: a cache that lags has it deleted once more, and that changes nothing
	case n == nil && m.gone.Before(t.began):
		c.w.violate("I1", m.name, "the VM was stopped without a NomadNode")
		return
	case m.drainedAt.IsZero():
		c.w.violate("I1", m.name, "the VM was stopped before Drained was written")
		return
	case vm.DeletionTimestamp != nil, n == nil:
		return // stopped by somebody else, or its NomadNode removed while the request was on its way
	}
	if m.forced && meta.IsStatusConditionTrue(n.Status.Conditions, v1alpha1.NodeDrainCompleted) {
		c.askedToStop(t, m, n)
		return
	}
	for _, a := range c.atStake(m, n) {
		if !c.unseeable(t, m, n, a) && !c.unseen(t, m, n) {
			c.w.violate("I1", m.name, "the guest was stopped under %s", a.name())
		}
	}
}

// unseeable reports whether an allocation was placed while the request to stop the guest was on its way, or while a
// Nomad that can't be asked was waited for with a member that a user wants gone.
func (c *checks) unseeable(t *task, m *memberTruth, n *v1alpha1.NomadNode, a *alloc) bool {
	if seen, asked := t.observed[m.nodeID]; asked {
		if a.node.id != m.nodeID {
			return !c.couldSee(t, m, a)
		}
		return !seen.open && a.placed.After(seen.at)
	}
	wantedGone := m.deletedByUser || c.poolOf(n) == nil
	return wantedGone && !t.asks.notAsked && (m.drainedUnseen || a.placed.After(m.drainedAt)) &&
		c.w.now.Sub(drainedTime(n)) >= nodectrl.DefaultPurgeTimeout
}

// drainedTime is since when the member's NomadNode says that it is drained: since the observation that found it so,
// which may have been on its way for long.
func drainedTime(n *v1alpha1.NomadNode) time.Time {
	if d := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.NodeDrainCompleted); d != nil {
		return d.LastTransitionTime.Time
	}
	return time.Time{}
}

// nodeDeleted checks the deletion of a NomadNode by a controller: of a drained member's, or of one that never got a
// VM.
func (c *checks) nodeDeleted(t *task, m *memberTruth) {
	if t.what == "pool" {
		c.notProtected(t, m, "replaced")
		if c.vmOf(m) != nil && m.vmMade.Before(t.began) {
			c.w.violate("I1", m.name, "replaced, though it has a VM")
		}
		return
	}
	if m.drainedAt.IsZero() {
		c.w.violate("I1", m.name, "its NomadNode was deleted before it was drained")
	}
}

// released checks that nothing of a member is left when its NomadNode goes.
func (c *checks) released(m *memberTruth, was *v1alpha1.NomadNode) {
	m.released = c.w.now
	switch {
	case c.vmOf(m) != nil || c.instanceOf(m) != nil:
		c.w.violate("I7", m.name, "the NomadNode went before the VM")
	case was.Spec.ScaleIn.Purge != nil && !*was.Spec.ScaleIn.Purge:
		m.unpurged = true
	case m.late:
	case c.nodeOf(m) != nil && c.unseen(c.w.running, m, was):
		m.late = true
	case c.nodeOf(m) != nil:
		c.w.violate("I7", m.name, "the NomadNode went before the Nomad node")
	}
	for _, claim := range m.claims {
		if c.w.store.get(id{kindClaim, was.Namespace, claim}) != nil {
			c.w.violate("I7", m.name, "the NomadNode went before claim %s", claim)
		}
	}
	for _, o := range c.w.store.all(kindSecret) {
		if c.secrets[o.GetUID()] && !c.orphaned[o.GetUID()] && o.GetLabels()[v1alpha1.NodeLabel] == m.name {
			c.w.violate("I7", m.name, "the NomadNode went before its Secret")
		}
	}
}
