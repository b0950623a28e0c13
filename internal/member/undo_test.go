package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// A drain of ours whose request was canceled and cleared comes back if Nomad is restored from a snapshot. It is ours to
// end; somebody else's is not.
func TestDrainOfAFormerRequestIsUndone(t *testing.T) {
	drainsFor := func(id string) change {
		return func(o *nodestate.State) {
			o.Nomad.Eligible, o.Nomad.Draining, o.Nomad.DrainID = false, true, id
		}
	}
	over := func(o *nodestate.State) { o.Nomad.Draining = false }
	vmGone := func(o *nodestate.State) { o.VM = nodestate.VM{} }
	runSteps(t, []stepCase{
		{name: "restored", o: steady(drainsFor(drainID)), step: member.UndoDrain},
		{name: "restored, and complete: as if an operator had made it ineligible", o: steady(drainsFor(drainID), over),
			step: member.Wait},
		{name: "an operator's", o: steady(drainsFor("")), step: member.Wait},
		{name: "Nomad unknown", o: steady(drainsFor(drainID), nomadUnknown), step: member.Wait, wake: 15 * time.Second},
		{name: "requested again: allocations aren't listed yet", o: requested(drainsFor("request-0")), step: member.Wait,
			wake: time.Second},
		{name: "another was canceled: that one is cleared first", o: requested(drainsFor("request-0"), canceled),
			step: member.ClearDrainRequest},
		{name: "deleted", o: steady(drainsFor(drainID), deleted), step: member.RequestDrain, reason: "Deleted"},
		{name: "its VM was deleted", o: steady(drainsFor(drainID), vmGone), step: member.RequestDrain, reason: "VMDeleted"},
	})
}

func TestWhichDrainIsForNothing(t *testing.T) {
	drains := func(o *nodestate.State) { o.Nomad.Draining, o.Nomad.DrainID = true, drainID }
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"its request is gone":      {steady(drains), true},
		"it is requested":          {requested(drains), false},
		"it is drained":            {steady(drains, func(o *nodestate.State) { o.Node.Drained = true }), false},
		"its NomadNode is deleted": {steady(drains, deleted), false},
		"Nomad unknown":            {steady(drains, nomadUnknown), false},
		"not in Nomad":             {steady(drains, func(o *nodestate.State) { o.Nomad.Registered = false }), false},
		"over":                     {steady(drains, func(o *nodestate.State) { o.Nomad.Draining = false }), false},
		"somebody else's":          {steady(drains, func(o *nodestate.State) { o.Nomad.DrainID = "" }), false},
	} {
		if got := member.DrainsForNothing(c.o); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
