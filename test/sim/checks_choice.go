package sim

import (
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// chosen checks the pool's choice of a member to leave.
func (c *checks) chosen(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	c.notProtected(t, m, "chosen")
	c.bySight(t, m)
	c.byFreshSight(t, m, n)
	c.withinLimits(t, m, n)
	switch n.Spec.Drain.Reason {
	case v1alpha1.DrainRollout:
		c.breakerBlocks(t, n, "a member leaves")
		c.enoughWork(t, m, n)
	case v1alpha1.DrainJoinTimeout, v1alpha1.DrainUnhealthy:
		c.breakerBlocks(t, n, "a member leaves")
		c.patient(t, m, n)
		c.worksElsewhere(t, m, n)
	default:
		c.notTooFew(t, m, n)
	}
}

// bySight checks that members are chosen by what is known of the Nomad that the pool leads to, or did when the
// reconcile began.
func (c *checks) bySight(t *task, m *memberTruth) {
	known, age := false, time.Duration(math.MaxInt64)
	for _, way := range t.p.clusters {
		if _, ever := c.leads(m.poolUID, way.nomad, t.readAt()); ever {
			known = known || t.sights[way].known || way.known()
			age = min(age, t.began.Sub(way.view.Taken))
		}
	}
	switch {
	case !known:
		c.w.violate("I1", m.name, "a member was chosen though Nomad couldn't be asked")
	case age > actLimit:
		c.w.violate("I1", m.name, "a member was chosen by a view that is %s old", age)
	}
}

// byFreshSight checks that a member is chosen by no old view of the Nomad that it was seen in.
func (c *checks) byFreshSight(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	if !m.nomad.isAsked(n) || !nomadlink.Seen(n) || c.w.ledAfter(t.began) {
		return
	}
	known, age := false, time.Duration(math.MaxInt64)
	for _, way := range t.p.clusters {
		if way.nomad == m.nomad {
			known = known || t.sights[way].known && way.known()
			age = min(age, t.began.Sub(way.view.Taken))
		}
	}
	if known && age > actLimit {
		c.w.violate("I1", m.name, "a member was chosen by a view of the Nomad that it was seen in that is %s old", age)
	}
}

// shows reports whether a view of some Nomad shows a member's node so, when the task began or now.
func (t *task) shows(m *memberTruth, so func(nomad.Node) bool) bool {
	return slices.ContainsFunc(t.p.clusters, func(c *cluster) bool {
		return so(t.sights[c].seen[m.nodeID]) || so(c.view.Nodes[m.nodeID])
	})
}

// showsStill reports whether one has shown it so since then.
func (t *task) showsStill(m *memberTruth, so func(nomad.Node) bool) bool {
	return slices.ContainsFunc(t.p.clusters, func(c *cluster) bool {
		return so(t.sights[c].seen[m.nodeID]) && so(c.view.Nodes[m.nodeID])
	})
}

// stay are the members that count, but for one; those that somebody else has asked to leave while the reconcile ran
// count as well, because it couldn't know, and so do those whose NomadNode was removed by force.
func (c *checks) stay(t *task, but *memberTruth, n *v1alpha1.NomadNode) []*memberTruth {
	var out []*memberTruth
	for _, o := range c.membersOf(n.Spec.PoolUID) {
		m := c.members[o.Name]
		if m != but && (!leaving(o) || m.left.After(t.began) && !t.chose[m]) {
			out = append(out, m)
		}
	}
	for _, m := range c.members {
		if m != but && m.poolUID == n.Spec.PoolUID && m.forcedOff() && m.gone.After(t.began) && !t.chose[m] {
			out = append(out, m)
		}
	}
	t.chose[but] = true
	return out
}

// alone reports whether one process leads: two may choose differently at the same time, which is put right later.
func (c *checks) alone(t *task) bool {
	for _, p := range c.w.processes {
		if p != t.p && (!p.dead || p.died.After(t.began)) {
			return false
		}
	}
	return true
}

// notTooFew checks that a scale-in takes no more than the surplus.
func (c *checks) notTooFew(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	stay := len(c.stay(t, m, n))
	least := math.MaxInt
	for _, a := range c.askedSince(n.Spec.PoolUID, t.began) {
		least = min(least, a.replicas)
	}
	if stay < least {
		c.w.violate("I2", m.name, "a member was let go though only %d stay and %d are asked for", stay, least)
	}
}

// enoughWork checks that a rollout leaves enough members that take work.
func (c *checks) enoughWork(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	works := func(m *memberTruth) bool { return t.shows(m, takesWork) }
	left := 0
	for _, o := range c.stay(t, m, n) {
		if works(o) {
			left++
		}
	}
	least, minReady := math.MaxInt, time.Duration(0)
	for _, a := range c.askedSince(n.Spec.PoolUID, t.began) {
		least, minReady = min(least, a.replicas-a.unavailable), max(minReady, a.minReady)
	}
	ready := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.NodeReady)
	if c.poolOf(n) == nil || ready == nil || ready.Status != metav1.ConditionTrue ||
		t.began.Sub(ready.LastTransitionTime.Time) < minReady {
		return // not counted on yet
	}
	if t.showsStill(m, takesWork) && left < least {
		c.w.violate("I2", m.name, "a rollout leaves %d members that take work, and %d is the least", left, least)
	}
}

func takesWork(x nomad.Node) bool { return x.Status == nomad.NodeReady && x.Eligible && !x.Draining }
