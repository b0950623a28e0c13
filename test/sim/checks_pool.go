package sim

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// asked is what was asked of a pool, from a moment on.
type asked struct {
	at                 time.Time
	pool               string // its UID
	address            string // of the Nomad that it leads to
	replicas           int
	surge, unavailable int
	minReady           time.Duration
	breaker            bool // the breaker was open, and written to be
	retried            string
	key, void          string // of the evidence, and of such as counts no more
	limits             limits
}

// ask notes what is asked of a pool from now on.
func (c *checks) ask(p *v1alpha1.NomadNodePool) {
	a := asked{at: c.w.now, pool: string(p.UID), address: p.Spec.Nomad.Address, replicas: int(p.DesiredReplicas())}
	a.surge = share(p.Spec.Rollout.MaxSurge, 1, a.replicas, true)
	a.unavailable = share(p.Spec.Rollout.MaxUnavailable, 0, a.replicas, false)
	a.minReady = time.Duration(p.Spec.Rollout.MinReadySeconds) * time.Second
	healthy := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolJoinsHealthy)
	a.breaker = healthy != nil && healthy.Reason == v1alpha1.ReasonJoinsFailing &&
		healthy.ObservedGeneration == p.Generation
	a.limits = limitsOf(p)
	a.retried = p.Annotations[v1alpha1.RetryJoinsAnnotation]
	if r := p.Status.Joins; r != nil {
		a.key = r.Key
	}
	if before := c.askedSince(a.pool, c.w.now); len(before) > 0 {
		// What was written before the user asked for another try doesn't count any more.
		if was := before[len(before)-1]; was.retried != a.retried {
			a.void = a.key
		} else {
			a.void = was.void
		}
	}
	a.breaker = a.breaker && a.key != a.void
	c.asked = append(c.asked, a)
}

func share(v *intstr.IntOrString, otherwise, of int, up bool) int {
	if v == nil {
		return otherwise
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, of, up)
	if err != nil {
		return otherwise
	}
	return n
}

// askedSince is what was asked of a pool at any time since.
func (c *checks) askedSince(pool string, since time.Time) []asked {
	var out []asked
	for _, a := range c.asked {
		if a.pool != pool {
			continue
		}
		if !a.at.After(since) {
			out = out[:0]
		}
		out = append(out, a)
	}
	return out
}

// leaving reports whether a member doesn't count.
func leaving(n *v1alpha1.NomadNode) bool {
	drained := meta.IsStatusConditionTrue(n.Status.Conditions, v1alpha1.NodeDrainCompleted)
	return n.DeletionTimestamp != nil || n.Spec.Drain != nil && (!n.Spec.Drain.Canceled || drained)
}

func (c *checks) membersOf(poolUID string) []*v1alpha1.NomadNode {
	var out []*v1alpha1.NomadNode
	for _, o := range c.w.store.all(kindNode) {
		if n := o.(*v1alpha1.NomadNode); n.Spec.PoolUID == poolUID {
			out = append(out, n)
		}
	}
	return out
}

func (c *checks) poolOf(n *v1alpha1.NomadNode) *v1alpha1.NomadNodePool {
	p, _ := c.w.store.get(id{kindPool, n.Namespace, n.Spec.PoolName}).(*v1alpha1.NomadNodePool)
	if p == nil || string(p.UID) != n.Spec.PoolUID {
		return nil
	}
	return p
}

func revisionOf(p *v1alpha1.NomadNodePool) string {
	return blueprint.Revision(&p.Spec.Template, &p.Spec.Nomad.NomadClient, p.Spec.Nomad.Region)
}

// notTooMany checks I2 whenever a member begins to count: what was asked for while the reconcile ran must allow it.
func (c *checks) notTooMany(t *task, n *v1alpha1.NomadNode, what string) {
	p := c.poolOf(n)
	if p == nil {
		return // deleted meanwhile
	}
	active, outdated := 0, false
	for _, o := range c.membersOf(n.Spec.PoolUID) {
		if c.members[o.Name].stayed.After(t.began) {
			continue // the pool can't know, and has one chosen to leave next
		}
		if !leaving(o) {
			active++
			always, _ := c.leads(n.Spec.PoolUID, c.members[o.Name].nomad, t.readAt())
			outdated = outdated || o.Spec.Revision != revisionOf(p) || !always
		}
	}
	most := 0
	for _, a := range c.askedSince(n.Spec.PoolUID, t.began) {
		allowed := a.replicas
		switch alone := c.alone(t); {
		case outdated:
			allowed += max(a.surge, map[bool]int{false: 1}[alone])
		case !alone:
			// One calls a member back while the other makes one: for a moment there is one too many.
			allowed++
		}
		most = max(most, allowed)
	}
	if active > most {
		c.w.violate("I2", n.Name, "%s: %d members, but at most %d were asked for", what, active, most)
	}
}

// breakerBlocks checks I9: while the breaker is open nothing is made, and nothing leaves but for a user's wish.
func (c *checks) breakerBlocks(t *task, n *v1alpha1.NomadNode, what string) {
	since := c.askedSince(n.Spec.PoolUID, t.began)
	for _, a := range since {
		if !a.breaker || a.retried != since[0].retried {
			return
		}
	}
	if len(since) > 0 && !c.newlyJoined(n) {
		c.w.violate("I9", n.Name, "the breaker is open, but %s", what)
	}
}

// newlyJoined reports whether somebody joined and the pool's status doesn't show it yet, which closes the breaker.
func (c *checks) newlyJoined(n *v1alpha1.NomadNode) bool {
	p := c.poolOf(n)
	if p == nil || p.Status.Joins == nil {
		return true
	}
	for _, o := range c.membersOf(n.Spec.PoolUID) {
		reported := slices.ContainsFunc(p.Status.Joins.Results,
			func(r v1alpha1.JoinResult) bool { return r.Member == o.Name && r.Joined })
		if j := o.Status.JoinedTime; j != nil && !reported && j.After(p.Status.Joins.StartTime.Time) {
			return true
		}
	}
	return false
}

// notProtected checks I5, unless the protection came while the reconcile ran.
func (c *checks) notProtected(t *task, m *memberTruth, what string) {
	if !m.protected.IsZero() && m.protected.Before(t.began) {
		c.w.violate("I5", m.name, "a protected member was %s", what)
	}
}

// drainCanceled checks that a pool calls no more members back than it needs, and notes one that stays by itself.
func (c *checks) drainCanceled(t *task, m *memberTruth, is *v1alpha1.NomadNode) {
	switch {
	case t.what == "pool":
		c.notTooMany(t, is, "a drain was canceled")
		c.notTwice(t, m, is)
	case t.what == "node" && is.Spec.Drain.OnlyIf != "":
		m.stayed = c.w.now
	}
}

// reopens is true for a member that is drained: if it has got work since, its own controller writes a new request.
func reopens(t *task, was *v1alpha1.NomadNode) bool {
	return t.what == "node" && meta.IsStatusConditionTrue(was.Status.Conditions, v1alpha1.NodeDrainCompleted)
}

// drainRequest checks a change of a member's drain request.
func (c *checks) drainRequest(t *task, m *memberTruth, was, is *v1alpha1.NomadNode) {
	before, after := was.Spec.Drain, is.Spec.Drain
	switch {
	case after == nil:
		return
	case before == nil || before.ID != after.ID:
		m.requests[after.ID] = c.w.now
		m.forced = false
		if before != nil && !before.Canceled && !reopens(t, was) {
			c.w.violate("I3", m.name, "a second drain request in the place of one that stands")
		}
		if t.what == "pool" {
			c.chosen(t, m, is)
		}
	case c.extends(t, m, before, after):
	case !before.DeadlineTime.Equal(&after.DeadlineTime) || !before.RequestTime.Equal(&after.RequestTime):
		c.w.violate("I3", m.name, "the drain request's deadline was changed from %s to %s", before.DeadlineTime.Sub(epoch),
			after.DeadlineTime.Sub(epoch))
	case after.Canceled && !before.Canceled:
		c.drainCanceled(t, m, is)
	}
}
