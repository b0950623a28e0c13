package sim

import (
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// limits are what a pool sets to how many leave, and how soon.
type limits struct {
	recorded   bool          // the last change of replicas is written down
	scaled     time.Time     // when that was, as it is written
	up         bool          // it is written that they went up
	window     time.Duration // scaleIn.stabilizationWindow
	concurrent int           // scaleIn.maxConcurrent
	inFlight   int           // health.maxInFlight
}

// mostTime is a time that never comes.
var mostTime = epoch.Add(10000 * time.Hour)

func limitsOf(p *v1alpha1.NomadNodePool) limits {
	l := limits{concurrent: math.MaxInt, inFlight: 1}
	if last := p.Status.LastScale; last != nil {
		l.recorded, l.scaled = last.To == p.DesiredReplicas(), last.ScaleTime.Time
		l.up = last.From >= 0 && last.From < last.To
	}
	if w := p.Spec.ScaleIn.StabilizationWindow; w != nil {
		l.window = w.Duration
	}
	if most := p.Spec.ScaleIn.MaxConcurrent; most != nil {
		l.concurrent = int(*most)
	}
	if most := p.Spec.Health.MaxInFlight; most != nil {
		l.inFlight = int(*most)
	}
	return l
}

// withinLimits checks a pool's choice of a member to leave: something that was asked for while the reconcile ran must
// allow it.
func (c *checks) withinLimits(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	reason := n.Spec.Drain.Reason
	repair := reason == v1alpha1.DrainJoinTimeout || reason == v1alpha1.DrainUnhealthy
	leave, inFlight := c.leaveBesides(t, m, n)
	leave, inFlight = leave+t.requested, inFlight+t.repaired
	t.requested++
	if repair {
		t.repaired++
	}
	allowed := func(by func(limits) bool) bool {
		return slices.ContainsFunc(c.askedSince(n.Spec.PoolUID, t.began), func(a asked) bool { return by(a.limits) })
	}
	if !allowed(func(l limits) bool { return l.recorded }) {
		c.w.violate("I2", m.name, "a member was let go for replicas that aren't written down")
	}
	rollout := reason == v1alpha1.DrainRollout // which a scale-out doesn't hold
	if !repair &&
		!allowed(func(l limits) bool { return l.recorded && (rollout && l.up || c.w.now.Sub(l.scaled) >= l.window) }) {
		c.w.violate("I2", m.name, "a member was let go (%s) within the stabilization window", reason)
	}
	if !c.alone(t) {
		return // two choose at the same time
	}
	if !allowed(func(l limits) bool { return leave < l.concurrent }) {
		c.w.violate("I2", m.name, "a member was let go, and more than maxConcurrent leave: %d besides", leave)
	}
	if repair && !allowed(func(l limits) bool { return inFlight < l.inFlight }) {
		c.w.violate("I9", m.name, "a member was replaced, and more than maxInFlight are on their way: %d besides", inFlight)
	}
}

// leaveBesides is how many other members left when the reconcile began, but for those that are stuck, and were chosen
// before; and how many were on the way of being replaced for their health then.
func (c *checks) leaveBesides(t *task, but *memberTruth, n *v1alpha1.NomadNode) (leave, inFlight int) {
	for _, o := range c.membersOf(n.Spec.PoolUID) {
		m := c.members[o.Name]
		if m == but {
			continue
		}
		if c.joins(t, m, o) {
			inFlight++
		}
		if !leaving(o) || !m.left.Before(t.began) || m.stuck.After(t.began) {
			continue
		}
		leave++
		if d := o.Spec.Drain; d != nil && (d.Reason == v1alpha1.DrainJoinTimeout || d.Reason == v1alpha1.DrainUnhealthy) {
			inFlight++
		}
	}
	return leave, inFlight
}

// joins reports whether a member is plainly on its way to join, and was when the reconcile began.
func (c *checks) joins(t *task, m *memberTruth, n *v1alpha1.NomadNode) bool {
	made, ready := n.Status.VM.CreationTime, meta.FindStatusCondition(n.Status.Conditions, v1alpha1.NodeVMReady)
	switch {
	case leaving(n) || n.Status.JoinedTime != nil || made == nil || ready == nil || !m.vmKnown.Before(t.began):
		return false
	case c.otherIDOf[types.UID(n.Status.VM.UID)] != "":
		return false // its guest has taken another ID
	case ready.Reason != v1alpha1.ReasonVMRunning || !ready.LastTransitionTime.Time.Before(t.began):
		return false // lacks capacity, or did when the reconcile began
	case c.w.now.Sub(made.Time) >= n.Spec.Health.JoinTimeout.Duration:
		return false
	}
	return !t.shows(m, func(x nomad.Node) bool { return x.Status == nomad.NodeReady })
}
