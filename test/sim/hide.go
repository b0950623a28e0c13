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
			if x := w.anyNode(s); x != nil && w.faulty {
				w.note("job", x.name, "takes the pool's UID out of its node's meta")
				x.hidden, x.hiddenOnce = true, true
				w.nomad.changed()
			}
		})
	}
}

// show has the nodes of members that are wanted, or whose NomadNode is gone, listed again. The others the controllers
// must find.
func (w *Environment) show() {
	for _, nodeID := range w.nomad.order {
		x, m := w.nomad.nodes[nodeID], w.checks.byNodeID[nodeID]
		if x.hidden && (w.wanted(nodeID) || m == nil || w.checks.nomadNode(m) == nil) {
			x.hidden = false
			w.nomad.changed()
		}
	}
}

// actNames are the names of all that can be left out of a schedule.
func actNames() []string {
	names := []string{hides, noCapacity, restores, otherIDs, stubborn}
	for _, a := range acts {
		names = append(names, a.name)
	}
	return names
}
