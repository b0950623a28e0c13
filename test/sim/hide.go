package sim

// hides is the name of what the jobs of some schedules do. It isn't one of the acts, so that the others stay what
// they are in each schedule.
const hides = "hide node"

// hide has a job take its node out of the list that the controllers see, now and then one after the other.
func (w *Environment) hide() {
	s := w.chance.of(hides)
	if w.Without[hides] || !s.once(4) {
		return
	}
	for range 1 + s.IntN(3) {
		w.after(s.between(0, w.Span), func() {
			if w.faulty {
				w.nomad.hide(s)
			}
		})
	}
}

func (n *nomadServer) hide(s *stream) {
	if x := n.any(s); x != nil {
		n.w.note("job", x.name, "takes the pool's UID out of its node's meta")
		x.hidden, x.hiddenOnce = true, true
		n.changed()
	}
}

// show has the nodes of members that are wanted, or whose NomadNode is gone, listed again. The others the controllers
// must find.
func (w *Environment) show() {
	for _, x := range w.nodes() {
		m := w.checks.byNodeID[x.id]
		if x.hidden && (w.wanted(x.id) || m == nil || w.checks.nomadNode(m) == nil) {
			x.hidden = false
			x.in.changed()
		}
	}
}

// actNames are the names of all that can be left out of a schedule.
func actNames() []string {
	names := []string{hides, noCapacity, restores, otherIDs, lateOthers, stubborn, moves}
	for _, a := range acts {
		names = append(names, a.name)
	}
	return names
}
