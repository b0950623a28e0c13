package sim

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// otherIDs is the name of what has guests join under another ID than their member's in some schedules: their image,
// or their user data, gives their agent another data directory, or somebody removes it. It isn't one of the acts, so
// that the others stay what they are in each schedule.
const otherIDs = "other ID"

// misregister has some guests lack the ID that they were given: some from the beginning, and some that had joined.
func (w *Environment) misregister() {
	s := w.chance.of(otherIDs)
	if w.Without[otherIDs] || !s.once(4) {
		return
	}
	w.mislaid = s
	for range s.IntN(3) {
		w.after(s.between(0, w.Span), func() {
			vm := w.anyVM(s)
			if vm == nil || !w.faulty {
				return
			}
			if g := w.kubevirt.guests[vm.UID]; g != nil {
				g.restart(s.between(3*time.Second, 40*time.Second))
				g.another = true
			}
		})
	}
}

// lateOthers is the name of what has some of these guests join when their member is drained, and its VM not deleted
// yet, because the controllers can't reach Nomad for a while.
const lateOthers = "late with other ID"

// joinLate begins that.
func (w *Environment) joinLate() {
	s := w.chance.of(lateOthers)
	if w.Without[lateOthers] || w.mislaid == nil || !s.once(2) {
		return
	}
	w.store.watchers = append(w.store.watchers, func(was, is client.Object) {
		before, _ := was.(*v1alpha1.NomadNode)
		n, ok := is.(*v1alpha1.NomadNode)
		if !ok || before == nil || before.Status.DrainResult != "" || n.Status.DrainResult == "" || !w.faulty {
			return
		}
		m := w.checks.members[n.Name]
		if g := w.checks.guestOf(m); g != nil && !g.lives && !g.stopping && s.once(2) {
			g.another = true
			w.cutOff(m.nomad, s.between(20*time.Second, 2*time.Minute))
		}
	})
}

// mislay has a guest register under another ID from now on, also after its VM has been started again.
func (g *guest) mislay() {
	c := g.w.checks
	m := c.members[g.name]
	nodeID := fmt.Sprintf("%08x%s", len(c.otherIDs)+1, m.nodeID[8:])
	c.otherIDs[nodeID], c.otherIDOf[g.vm] = m, nodeID
	g.w.note("guest", g.name, "has lost its ID, and takes another: %s", nodeID)
	g.nodeID, g.another = nodeID, false
}

// mislays reports whether a guest that boots for the first time lacks its ID.
func (g *guest) mislays() bool {
	s := g.w.mislaid
	return s != nil && g.w.faulty && g.w.checks.otherIDOf[g.vm] == "" && s.once(3)
}

// othersOf are the Nomad nodes that a member's guests have registered under other IDs, and that the controllers could
// find all the time: one that a job has hidden from them is like anybody's.
func (c *checks) othersOf(m *memberTruth) []*node {
	var out []*node
	for _, x := range c.w.nodes() {
		if c.otherIDs[x.id] == m && x.status != nomad.NodeDown && !x.hiddenOnce {
			out = append(out, x)
		}
	}
	return out
}

// couldSee reports whether a task could see an allocation when it asked Nomad last, if it did.
func (c *checks) couldSee(t *task, m *memberTruth, a *alloc) bool {
	seen, asked := t.observed[a.node.id]
	switch {
	case a.node.id == m.nodeID:
		return !asked || seen.open || a.placed.Before(seen.at)
	case asked:
		return a.placed.Before(seen.at)
	default: // it has looked for such nodes when this one wasn't there yet, or while the member's own lived
		return t.sought.IsZero() && !c.nodeLived(t, m) || a.node.registered.Before(t.sought)
	}
}

// nodeLived reports whether Nomad had a node of the member's ID that lived, a moment ago or still: then no other is
// looked for.
func (c *checks) nodeLived(t *task, m *memberTruth) bool {
	x := c.nodeOf(m)
	return x != nil && (x.status != nomad.NodeDown || !x.downSince.Before(t.began.Add(-mostLag)))
}

// worksElsewhere checks that no member is replaced because it hasn't joined while its guest plainly has work under
// another ID, and had in the last minutes.
func (c *checks) worksElsewhere(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	long := t.began.Add(-2 * time.Minute)
	if n.Spec.Drain.Reason != v1alpha1.DrainJoinTimeout || c.unseen(t, m, n) || c.disturbed().After(long) {
		return
	}
	for _, a := range c.atStake(m, n) {
		if a.node.id != m.nodeID && a.placed.Before(long) {
			c.w.violate("I1", m.name, "a member was replaced because it hasn't joined, and its guest works as another node: %s",
				a.name())
		}
	}
}

// replaceLost is what an operator does about guests that are lost under other IDs, when their pool replaces nobody
// because too many members are unhealthy: to delete their NomadNodes.
func (w *Environment) replaceLost(p *v1alpha1.NomadNodePool) {
	ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolReady)
	if ready == nil || ready.Reason != v1alpha1.ReasonTooManyUnhealthy {
		return
	}
	for _, o := range w.store.all(kindNode) {
		m := w.checks.members[o.GetName()]
		if g := w.checks.guestOf(m); g != nil && g.nodeID != m.nodeID && o.GetDeletionTimestamp() == nil {
			w.note("operator", m.name, "deletes the NomadNode of a guest that has lost its ID")
			_ = w.store.remove(idOf(o), o.GetUID()) // gone already is as good
		}
	}
}

// moveOthersWork is what an operator does about guests that work under another ID, as the conditions say: to drain the
// node that they name, and delete the NomadNode.
func (w *Environment) moveOthersWork() {
	for _, o := range w.store.all(kindNode) {
		n := o.(*v1alpha1.NomadNode)
		joined := meta.FindStatusCondition(n.Status.Conditions, v1alpha1.NodeJoined)
		if n.Status.BlockedBy != v1alpha1.BlockedByOtherNode || joined == nil {
			continue
		}
		for _, x := range w.nodes() {
			if n.DeletionTimestamp != nil || !strings.Contains(joined.Message, "nomad node drain -enable "+x.id+")") {
				continue
			}
			w.note("operator", n.Name, "drains Nomad node %s, and deletes the NomadNode", x.id)
			if x.drain == nil {
				_ = x.in.setDrain(x.id, &drain{}, operator) // it is there
			}
			_ = w.store.remove(idOf(n), n.UID) // gone already is as good
		}
	}
}
