package nodestate

import "testing"

func TestNodeThatTakesWork(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*Nomad)
		up, ready bool
	}{
		"works":                {func(*Nomad) {}, true, true},
		"not in Nomad":         {func(n *Nomad) { n.Registered = false }, false, false},
		"down":                 {func(n *Nomad) { n.Status = "down" }, false, false},
		"registered elsewhere": {func(n *Nomad) { n.Misplaced = "another node pool" }, false, false},
		"ineligible":           {func(n *Nomad) { n.Eligible = false }, true, false},
		"draining":             {func(n *Nomad) { n.Draining = true }, true, false},
	} {
		n := Nomad{Known: true, Registered: true, Status: "ready", Eligible: true}
		c.change(&n)
		if n.Up() != c.up || n.Ready() != c.ready {
			t.Errorf("%s: up %t, ready %t", name, n.Up(), n.Ready())
		}
	}
}

// Unknown is not gone.
func TestIDIsTaken(t *testing.T) {
	for name, c := range map[string]struct {
		s    State
		want bool
	}{
		"by an external node":           {State{Nomad: Nomad{Known: true, External: "it is called x"}}, true},
		"no more":                       {State{Nomad: Nomad{Known: true}, Node: Node{IDTaken: true}}, false},
		"it was, before Nomad was away": {State{Node: Node{IDTaken: true}}, true},
		"it wasn't, before it was":      {State{}, false},
		"what was seen isn't known":     {State{Nomad: Nomad{External: "it is called x"}}, false},
	} {
		if got := c.s.IDTaken(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
