package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const (
	// pollNodes and minInterval are internal/nomad's Options of these names, pollAllocations too.
	pollNodes   = 45 * time.Second
	minInterval = 500 * time.Millisecond
	// listTimeouts is internal/nomad's.
	listTimeouts    = 3
	pollAllocations = time.Second
	// checkToken is how often the token is read. The real ones take 3 min, and read it at once when they are refused.
	checkToken = time.Minute
	// These are controllers/nomadlink's of the same names: how old a view may be, also to choose members by it, and how
	// old a list of allocations.
	viewLimit        = time.Minute
	actLimit         = 30 * time.Second
	allocationsLimit = 30 * time.Second
)

func notFound(err error) bool { return errors.Is(err, nomad.ErrNodeNotFound) }

func newCluster(p *process, to *nomadServer) *cluster {
	c := &cluster{p: p, nomad: to, tracked: map[string]bool{}}
	c.judge()
	return c
}

// start watches Nomad from now on, as internal/nomad does for each connection.
func (c *cluster) start() {
	if c.watched {
		return
	}
	c.watched = true
	c.list(0)
	c.p.w.after(c.p.w.chance.of("watch").between(5*time.Millisecond, 100*time.Millisecond), c.checkToken)
}

func (c *cluster) checkToken() {
	switch {
	case c.p.dead:
	case c.reaches():
		c.readToken()
		c.p.w.after(checkToken, c.checkToken)
	default:
		c.p.w.after(2*time.Second, c.checkToken)
	}
}

// readToken finds out if the token sees all allocations.
func (c *cluster) readToken() {
	c.p.w.fleet.asksNomad()
	c.tokenKnown, c.allocsUnknown, c.grants = true, c.nomad.lacksReadJob(), c.nomad.grants()
	c.judge()
}

// lastCheck is what the grants were found to be, by a request that is sent now if there was none (internal/nomad:
// lastCheck).
func (c *cluster) lastCheck() (grants int, err error) {
	if !c.tokenKnown {
		err = c.ask("read own token", false, func() error {
			c.readToken()
			return nil
		})
	}
	return c.grants, err
}

// verify reads the token after a list of allocations, which may be believed only if the token sees all of them,
// and its grants are those that they were before (internal/nomad: verify).
func (c *cluster) verify(before int) error {
	err := c.ask("read own token", false, func() error {
		c.readToken()
		return nil
	})
	if err == nil && (c.allocsUnknown || c.grants != before) {
		return fmt.Errorf("list allocations: %w", nomad.ErrForbidden)
	}
	return err
}

// judge says how Nomad is, and wakes everybody if that has changed.
func (c *cluster) judge() {
	h := nomad.Health{State: nomad.HealthReachable}
	switch {
	case c.listErr != nil:
		h = nomad.Health{State: nomad.HealthUnreachable, Cause: "Nomad can't be asked."}
	case c.tokenKnown && c.allocsUnknown:
		h = nomad.Health{State: nomad.HealthTokenLacksReadJob}
	case !c.tokenKnown, c.view.Taken.IsZero(): // a good token alone shows no nodes
		h = nomad.Health{State: nomad.HealthUnknown}
	}
	if h == c.view.Health {
		return
	}
	was := c.view.Health
	c.view.Health = h
	if h.OK() {
		c.view.RecoveredSince, c.foundAt = c.p.w.now, c.p.w.now
	} else if was.OK() {
		c.lostAt = c.p.w.now
	}
	if was.State == "" {
		return
	}
	c.p.w.note(c.p.name, "", "%s is %s", c.name(), h.State)
	for _, o := range c.p.cache.kinds[kindPool].order {
		c.p.pools.add(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: o.namespace, Name: o.name}})
	}
	for _, o := range c.p.cache.kinds[kindNode].order {
		c.p.nodes.add(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: o.namespace, Name: o.name}})
	}
}

// known reports whether what is seen of Nomad may be acted upon.
func (c *cluster) known() bool {
	return c.view.Health.OK() && c.p.w.now.Sub(c.view.Taken) <= viewLimit
}

// list sends a list that waits for the index to pass.
func (c *cluster) list(index uint64) {
	w := c.p.w
	s := w.chance.of("watch")
	w.after(s.between(time.Millisecond, 10*time.Millisecond), func() {
		c.round++
		round := c.round
		c.asked = index
		switch {
		case c.p.dead:
		case !c.reaches():
			c.refused(s)
		case index == 0 || c.nomad.index > index:
			c.answer()
		default:
			c.nomad.waiting = append(c.nomad.waiting, c)
			w.after(pollNodes, func() {
				if c.round == round {
					c.Refresh()
				}
			})
		}
	})
}

// Refresh is nomad.Cluster's.
func (c *cluster) Refresh() {
	n := c.nomad
	if n == nil || !slices.Contains(n.waiting, c) {
		return
	}
	n.waiting = slices.DeleteFunc(n.waiting, func(o *cluster) bool { return o == c })
	c.answer()
}

// answer is the end of a list: what it shows is as of now, and arrives later. Once in a while a server answers that is
// behind the others, and the index goes back.
func (c *cluster) answer() {
	w := c.p.w
	if c.p.dead {
		return
	}
	w.fleet.asksNomad()
	s := w.chance.of("watch")
	if !c.reaches() {
		c.refused(s)
		return
	}
	seen, index := c.nomad.snapshot(), c.nomad.index
	if w.faulty && s.once(w.Faults.Back) {
		seen, index = c.nomad.past[0], 0
	}
	late := s.between(time.Millisecond, 10*time.Millisecond)
	if w.faulty && s.once(w.Faults.Lag) {
		late = s.between(0, 2*time.Second)
	}
	w.after(late, func() {
		if c.p.dead {
			return
		}
		c.failures = 0
		was := c.view.Nodes
		c.view.Nodes, c.view.Taken, c.listErr, c.asOf = seen.nodes, w.now, nil, seen.at
		c.judge()
		if c.view.RecoveredSince.Before(seen.led) {
			c.view.RecoveredSince = seen.led
		}
		c.wakeChanged(was, seen.nodes)
		w.after(minInterval, func() { c.list(index) })
	})
}

// refused is the failure of a list, at once or when its time is over.
func (c *cluster) refused(s *stream) {
	if s.once(2) {
		c.p.w.after(requestTimeout, func() { c.listFailed(true) })
		return
	}
	c.p.w.after(s.between(0, 100*time.Millisecond), func() { c.listFailed(false) })
}

// listFailed counts as an outage after several times in a row, or if the time has run out (internal/nomad: counts).
func (c *cluster) listFailed(timedOut bool) {
	if c.p.dead {
		return
	}
	c.failures++
	if timedOut || c.failures >= listTimeouts {
		c.listErr = nomad.ErrUnreachable
		c.judge()
	}
	wait := min(minInterval<<min(c.failures, 6), 10*time.Second)
	c.p.w.after(c.p.w.chance.of("watch").between(wait/2, wait), func() { c.list(0) })
}

// wakeChanged wakes the members whose nodes have changed.
func (c *cluster) wakeChanged(was, is map[string]nomad.Node) {
	c.wake(func(nodeID string) bool {
		a, before := was[nodeID]
		b, after := is[nodeID]
		if before != after {
			return true
		}
		if (a.LastDrain == nil) != (b.LastDrain == nil) || a.LastDrain != nil && *a.LastDrain != *b.LastDrain {
			return true
		}
		a.LastDrain, b.LastDrain = nil, nil
		return a != b
	})
}

func (c *cluster) wake(changed func(nodeID string) bool) {
	sh := c.p.cache.kinds[kindNode]
	for _, i := range sh.order {
		if changed(sh.objects[i].(*v1alpha1.NomadNode).Spec.NodeID) {
			c.p.nodes.add(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: i.namespace, Name: i.name}})
		}
	}
}

// TrackAllocations is nomad.Cluster's.
func (c *cluster) TrackAllocations(nodeID string, on bool) {
	switch {
	case on && !c.tracked[nodeID]:
		c.tracked[nodeID] = true
		if !c.polling {
			c.polling = true
			c.p.w.after(10*time.Millisecond, c.poll)
		}
	case !on && c.tracked[nodeID]:
		delete(c.tracked, nodeID)
		live := map[string][]nomad.Allocation{}
		for k, v := range c.allocations.Live {
			if k != nodeID {
				live[k] = v
			}
		}
		c.allocations.Live = live
	}
}

// poll lists the live allocations of the tracked nodes.
func (c *cluster) poll() {
	w := c.p.w
	if c.p.dead || len(c.tracked) == 0 {
		c.polling = false
		return
	}
	if !c.reaches() {
		c.allocations.Err = nomad.ErrUnreachable
		w.after(5*time.Second, c.poll)
		return
	}
	w.fleet.asksNomad()
	started := w.now
	live := map[string][]nomad.Allocation{}
	for nodeID := range c.tracked {
		live[nodeID] = c.nomad.listed(c.nomad.live(nodeID))
	}
	s := w.chance.of("watch")
	late := s.between(time.Millisecond, 10*time.Millisecond)
	if w.faulty && s.once(w.Faults.Lag) {
		late = s.between(0, 2*time.Second)
	}
	w.after(late, func() {
		for nodeID := range live {
			if !c.tracked[nodeID] {
				delete(live, nodeID)
			}
		}
		was := c.allocations.Live
		c.allocations = nomad.AllocationsView{Started: started, Live: live}
		c.wake(func(nodeID string) bool {
			b, after := live[nodeID]
			a, before := was[nodeID]
			return after && (!before || !slices.Equal(a, b))
		})
		w.after(pollAllocations, c.poll)
	})
}

// listed are allocations as Nomad lists them.
func (n *nomadServer) listed(allocs []*alloc) []nomad.Allocation {
	var out []nomad.Allocation
	if n.lacksReadJob() {
		return nil
	}
	for _, a := range allocs {
		desired := "run"
		if a.stopping {
			desired = "stop"
		}
		out = append(out, nomad.Allocation{
			ID: a.id, NodeID: a.node.id, Namespace: "default", JobID: a.job.name, JobType: a.job.kind, Name: a.job.name,
			ClientStatus: a.status, DesiredStatus: desired, CreateTime: a.placed,
		})
	}
	return out
}
