package sim

import (
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// moves is the name of what an operator does with the pool in some schedules: to have it lead to the other Nomad, which
// lives as well, and perhaps back. It isn't one of the acts, so that the others stay what they are in each schedule.
const moves = "move pool"

// move begins that. The members that there are stay in the Nomad that they have joined, or will join: some of them
// drain, some boot, and some have a Secret and no VM yet. Meanwhile to the other Nomad happens what happens to the
// first.
func (w *Environment) move() {
	s := w.chance.of(moves)
	if w.Without[moves] || !s.once(4) {
		return
	}
	for range s.IntN(4) {
		at, by := s.between(0, w.Span), int32(s.IntN(3)-1)
		w.after(at, func() {
			if by != 0 {
				toAdd(w, by)
			}
			w.after(s.between(0, 20*time.Second), func() { w.moveOn(s) })
		})
	}
	for range s.IntN(3) {
		mislead, lasts := pick(s, w.leadAway, w.misaddress), s.between(time.Second, 4*time.Minute)
		w.after(s.between(0, w.Span), func() { mislead(lasts) })
	}
	w.other.restore()
	for range s.IntN(6) {
		do := pick(s, (*nomadServer).cordonNode, (*nomadServer).cordonAndFlap, (*nomadServer).drainNode,
			(*nomadServer).cancelDrain, (*nomadServer).purgeNode, (*nomadServer).changeLeader, (*nomadServer).takeReadJob,
			(*nomadServer).slowDown, (*nomadServer).dispatch, (*nomadServer).goAway, (*nomadServer).hide)
		w.after(s.between(0, w.Span), func() {
			if w.faulty {
				do(w.other, s)
			}
		})
	}
}

// moveOn has the pool lead to the Nomad that it doesn't lead to, by one edit or by two: some change the address alone,
// and the servers when they notice.
func (w *Environment) moveOn(s *stream) {
	p := w.pool()
	if p == nil || !w.faulty || w.misled(p.Spec.Nomad) {
		return
	}
	to := w.nomad
	if w.joinedBy(p.Spec.Nomad.Servers) == to {
		to = w.other
	}
	address := func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = to.address }
	servers := func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Servers = slices.Clone(to.servers) }
	if !s.once(3) {
		w.edit("moves the pool to "+to.name, func(p *v1alpha1.NomadNodePool) { address(p); servers(p) })
		return
	}
	first, then, what, rest := address, servers, "address", "servers"
	if s.once(4) {
		first, then, what, rest = servers, address, rest, what
	}
	w.edit("moves the pool's "+what+" to "+to.name, first)
	w.after(s.rarely(3, 20*time.Second, 6*time.Minute), func() {
		if p := w.pool(); p != nil && w.faulty && w.misled(p.Spec.Nomad) {
			w.edit("moves the pool's "+rest+" to "+to.name, then)
		}
	})
}

// misled reports whether an address isn't that of the Nomad whose servers clients join.
func (w *Environment) misled(in v1alpha1.NomadSpec) bool {
	return in.Address != w.joinedBy(in.Servers).address
}

// misaddress has the pool ask a Nomad for its members that they don't join, which lives.
func (w *Environment) misaddress(lasts time.Duration) {
	p := w.pool()
	if p == nil || !w.faulty || w.misled(p.Spec.Nomad) {
		return
	}
	to := controllersAddress
	if w.joinedBy(p.Spec.Nomad.Servers) == w.nomad {
		to = w.other.address
	}
	w.edit("changes the address of Nomad to "+to+", where its members aren't",
		func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = to })
	w.after(lasts, w.rightAddress)
}

// leadAway has the controllers ask another Nomad, which lives, for all whose pools name no address.
func (w *Environment) leadAway(lasts time.Duration) {
	if w.faulty {
		w.leadTo(w.other)
		w.after(lasts, func() { w.leadTo(w.nomad) })
	}
}

// goAway is an outage, of the servers or of the way to them.
func (n *nomadServer) goAway(s *stream) {
	lasts := s.rarely(3, time.Minute, 13*time.Minute)
	if s.once(2) {
		n.leave(lasts)
		return
	}
	n.w.cutOff(n, lasts)
}

// findMembers is what an operator does about members that were made while the address was wrong, and that the pool
// can't correct any more because it leads to another Nomad by now.
func (w *Environment) findMembers() {
	if w.pool() == nil {
		return
	}
	for _, o := range w.store.all(kindNode) {
		n := o.(*v1alpha1.NomadNode)
		to := w.joinedBy(n.Spec.Nomad.Servers)
		found := n.Status.Nomad.Cluster != "" && to.isAsked(n) // in the former Nomad
		if w.misled(n.Spec.Nomad) && !found && !to.inPools() {
			w.note("operator", n.Name, "corrects the address of the member's Nomad")
			change(w.store, n, func(n *v1alpha1.NomadNode) { n.Spec.Nomad.Address = to.address })
		}
	}
}
