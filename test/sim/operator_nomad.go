package sim

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// ofNomad is an act that concerns the first Nomad.
func ofNomad(do func(*nomadServer, *stream)) func(*Environment, *stream) {
	return func(w *Environment, s *stream) { do(w.nomad, s) }
}

// any is one of the members' nodes.
func (n *nomadServer) any(s *stream) *node {
	var owned []*node
	for _, nodeID := range n.order {
		if x := n.nodes[nodeID]; x.owned {
			owned = append(owned, x)
		}
	}
	if len(owned) == 0 || !n.answers() {
		return nil
	}
	return owned[s.IntN(len(owned))]
}

// anyDraining is one of the nodes that drain; nil: none does.
func (n *nomadServer) anyDraining(s *stream) *node {
	var draining []*node
	for _, nodeID := range n.order {
		if x := n.nodes[nodeID]; x.owned && x.drain != nil {
			draining = append(draining, x)
		}
	}
	if len(draining) == 0 || !n.answers() {
		return nil
	}
	return pick(s, draining...)
}

func (n *nomadServer) cordonNode(s *stream) {
	w := n.w
	x := n.any(s)
	if x == nil {
		return
	}
	w.note("operator", x.name, "toggles the node's eligibility in Nomad")
	was := x.eligible
	_ = n.setEligible(x.id, !was, operator) // refused while it drains
	if was && s.once(2) {
		return // for good: until the end
	}
	w.after(s.between(5*time.Second, 3*time.Minute), func() {
		if !w.faulty || !was && !w.wanted(x.id) {
			return // tidied up by then, or leaving
		}
		_ = n.setEligible(x.id, was, operator) // gone by now, perhaps
	})
}

// cordonAndFlap makes a node ineligible for good, well before its drain is requested and canceled. One
// that is busy takes longer to drain.
func (n *nomadServer) cordonAndFlap(s *stream) {
	w := n.w
	x := n.any(s)
	for i := 0; i < 3 && x != nil && len(n.on(x.id)) == 0; i++ {
		x = n.any(s)
	}
	if x == nil {
		return
	}
	w.note("operator", x.name, "makes the node ineligible in Nomad")
	_ = n.setEligible(x.id, false, operator) // it was there a moment ago
	w.after(onTheWay+s.between(0, time.Minute), func() {
		toAdd(w, -1)
		w.after(s.between(500*time.Millisecond, pick(s, 3*time.Second, 20*time.Second)), func() { toAdd(w, 1) })
	})
}

// toAdd has the autoscaler ask for more, or for less.
func toAdd(w *Environment, by int32) {
	if p := w.pool(); p != nil && w.faulty && p.DesiredReplicas()+by >= 0 {
		w.note("autoscaler", poolName, "scales from %d to %d", p.DesiredReplicas(), p.DesiredReplicas()+by)
		change(w.store, p, func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To(p.DesiredReplicas() + by) })
	}
}

// wanted reports whether a node's member is wanted.
func (w *Environment) wanted(nodeID string) bool {
	m := w.checks.byNodeID[nodeID]
	if m == nil {
		return false
	}
	n := w.checks.nomadNode(m)
	return n != nil && !leaving(n) && n.Spec.Drain == nil
}

func (n *nomadServer) drainNode(s *stream) {
	w := n.w
	x := n.any(s)
	if d := n.anyDraining(s); d != nil && s.once(2) {
		x = d // whose drain is changed
	}
	if x != nil {
		w.note("operator", x.name, "drains the node in Nomad")
		d := &drain{ignoreSystem: s.once(2), unmarked: s.once(2)}
		if s.once(2) {
			d.force = w.now.Add(s.between(time.Second, 10*time.Minute))
		}
		_ = n.setDrain(x.id, d, operator) // it was there a moment ago
	}
}

// cancelDrain is done once, or again and again for a while.
func (n *nomadServer) cancelDrain(s *stream) {
	w := n.w
	x := n.any(s)
	if x == nil {
		return
	}
	w.note("operator", x.name, "cancels the drain in Nomad, and makes the node eligible")
	n.undo(x.id)
	if !s.once(3) {
		return
	}
	until := w.now.Add(s.between(20*time.Second, 20*time.Minute))
	w.note("operator", x.name, "does so again and again for a while")
	var again func()
	again = func() {
		if n.undo(x.id) && w.now.Before(until) {
			w.after(500*time.Millisecond, again)
		}
	}
	again()
}

// undo is false if the node is gone.
func (n *nomadServer) undo(nodeID string) bool {
	return n.setDrain(nodeID, nil, operator) == nil && n.setEligible(nodeID, true, operator) == nil
}

func (n *nomadServer) purgeNode(s *stream) {
	w := n.w
	if x := n.any(s); x != nil {
		w.note("operator", x.name, "purges the node in Nomad")
		_ = n.purge(x.id) // it was there a moment ago
	}
}

func cutGuestOff(w *Environment, s *stream) {
	if vm := w.anyVM(s); vm != nil {
		if g := w.kubevirt.guests[vm.UID]; g != nil {
			g.cutOff(s.between(5*time.Second, 8*time.Minute))
		}
	}
}

// changeLeader leaves the servers without one for a moment.
func (n *nomadServer) changeLeader(s *stream) {
	w := n.w
	n.note("", "changes its leader")
	n.ledSince = w.now
	if n.answers() {
		n.away = w.now.Add(s.between(100*time.Millisecond, 8*time.Second))
	}
	n.newDrainer()
}

// takeReadJob has our token see no allocations for a while, which no answer shows.
func (n *nomadServer) takeReadJob(s *stream) {
	w := n.w
	w.note("operator", "", "takes read-job from the controllers' token for a while")
	n.spells++
	n.readJobLost = w.now.Add(s.between(time.Second, 4*time.Minute))
}

// wrongAddress has the pool ask for Nomad where there is none, for a while.
func wrongAddress(w *Environment, s *stream) {
	w.edit("changes the address of Nomad to one where nobody answers",
		func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = nowhere })
	w.after(s.between(time.Second, 4*time.Minute), w.rightAddress)
}

func (w *Environment) rightAddress() {
	if p := w.pool(); p != nil && p.Spec.Nomad.Address != w.joinedBy(p.Spec.Nomad.Servers).address {
		w.edit("corrects the address of Nomad",
			func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = w.joinedBy(p.Spec.Nomad.Servers).address })
	}
}
