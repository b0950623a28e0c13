package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Allocations whose drain couldn't be sent in time get that time when it is sent, whatever was in its way.
func TestLateDrainGetsItsTime(t *testing.T) {
	drained := func(d time.Duration) change { // by somebody else, for so long
		return func(o *nodestate.State) {
			o.Nomad.Draining, o.Nomad.DrainStarted = true, o.Now.Add(-d)
			o.Nomad.LiveKnown, o.Nomad.Live = true, service("web")
		}
	}
	sent := func(o *nodestate.State) { o.Nomad.DrainID = drainID }
	lasts := func(d time.Duration) change { // as the policy was when the request was made, and is
		return func(o *nodestate.State) {
			o.Node.Policy.Deadline.Duration = d
			o.Node.Drain = drainRequest(o.Now.Add(-time.Minute), o.Now.Add(d-time.Minute))
		}
	}
	at := func(left time.Duration) change { // with so much of its time left
		return func(o *nodestate.State) { o.Now = o.Node.Drain.DeadlineTime.Add(-left) }
	}
	ended := func(o *nodestate.State) { // by a person, who had it end at once
		o.Node.Drain = drainRequest(o.Now, o.Now)
	}
	policy := func(d time.Duration) change {
		return func(o *nodestate.State) { o.Node.Policy.Deadline.Duration = d }
	}
	runSteps(t, []stepCase{
		{name: "in time", o: requested(cordoned, at(2*time.Minute)), step: member.Drain},
		{name: "late", o: requested(cordoned, at(2*time.Minute-time.Second)), step: member.ExtendDrain},
		{name: "very late", o: requested(cordoned, overdue(100*time.Hour)), step: member.ExtendDrain},
		{name: "made ineligible first", o: requested(overdue(time.Hour)), step: member.Cordon},
		{name: "late, and retained", o: requested(cordoned, retain, overdue(time.Hour)), step: member.ExtendDrain},
		{name: "sent and canceled in Nomad: it had its time", o: requested(cordoned, sent, overdue(time.Hour)),
			step: member.Drain},
		{name: "short: half of it is left", o: requested(cordoned, lasts(30*time.Second), at(15*time.Second)),
			step: member.Drain},
		{name: "short: less", o: requested(cordoned, lasts(30*time.Second), at(14*time.Second)), step: member.ExtendDrain},
		{name: "the policy gives less by now", o: requested(cordoned, policy(time.Minute), at(30*time.Second)),
			step: member.Drain},
		{name: "its VM was deleted", o: requested(cordoned, leaves(v1alpha1.DrainVMDeleted), overdue(time.Hour)),
			step: member.Drain},
		{name: "ended by a person", o: requested(cordoned, ended, later(time.Hour)), step: member.Drain},
		{name: "drained by somebody else, in time", o: requested(cordoned, overdue(0), drained(2*time.Minute)),
			step: member.Drain},
		{name: "drained by somebody else, and that for less than this is late", step: member.ExtendDrain,
			o: requested(cordoned, overdue(90*time.Second), drained(3*time.Minute))},
		{name: "was drained by somebody else, which is over", o: requested(cordoned, at(90*time.Second), drained(time.Minute),
			func(o *nodestate.State) { o.Nomad.Draining = false }), step: member.ExtendDrain},
		{name: "drained by somebody else, nobody knows since when", o: requested(cordoned, overdue(0), drained(0),
			func(o *nodestate.State) { o.Nomad.DrainStarted = time.Time{} }), step: member.ExtendDrain},
		{name: "drained by somebody else, late", o: requested(cordoned, overdue(time.Hour), drained(time.Minute)),
			step: member.ExtendDrain},
	})
	o := requested(cordoned, overdue(time.Hour), later(time.Millisecond))
	got := member.NewDeadline(o)
	if left := got.Sub(o.Now); left < 15*time.Minute || left > 15*time.Minute+time.Second || got.Nanosecond() != 0 {
		t.Errorf("it gets %s, until %s", left, got)
	}
}

// A drain that is late but for somebody else's drain is sent only once it is known that this one still runs.
func TestDrainThatIsInTimeOnlyByOthers(t *testing.T) {
	drained := func(o *nodestate.State) { // by somebody else, for two minutes
		o.Nomad.Draining, o.Nomad.DrainStarted = true, o.Now.Add(-2*time.Minute)
	}
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"late but for it":           {requested(cordoned, overdue(0), drained), true},
		"in time, whatever is seen": {requested(cordoned, drained), false},
		"late in any case":          {requested(cordoned, overdue(time.Hour), drained), false},
		"late, and nobody drains":   {requested(cordoned, overdue(0)), false},
	} {
		if got := member.OnlyByOthers(c.o); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A member to which no drain can be sent gets that time from when Nomad could be asked.
func TestTimeOfADrainThatCannotBeSent(t *testing.T) {
	known := func(d time.Duration) change { // for so long
		return func(o *nodestate.State) { o.NomadRecovered = o.Now.Add(-d) }
	}
	external := func(o *nodestate.State) { o.Nomad = nodestate.Nomad{Known: true, External: "db"} }
	works := registeredAs(otherID, service("web"))
	back := known(time.Second)
	runSteps(t, []stepCase{
		{name: "absent, Nomad was away past the deadline", o: requested(notInNomad, overdue(time.Hour), back),
			step: member.ExtendDrain},
		{name: "absent, it came back in time", o: requested(notInNomad, overdue(time.Hour), known(time.Hour+2*time.Minute)),
			step: member.MarkDrained},
		{name: "absent, it came back a moment before", o: requested(notInNomad, overdue(time.Hour),
			known(time.Hour+2*time.Minute-time.Second)), step: member.ExtendDrain},
		{name: "absent, before its deadline", o: requested(notInNomad, back), step: member.Wait,
			wake: 14*time.Minute + member.ForceGrace},
		{name: "absent, and never joined", o: booting(asked, overdue(time.Hour), back), step: member.MarkDrained},
		{name: "absent, and its guest is gone", o: requested(notInNomad, overdue(time.Hour), back, noInstance),
			step: member.MarkDrained},
		{name: "absent, and retained", o: requested(notInNomad, retain, overdue(time.Hour), back), step: member.Wait},
		{name: "its VM was deleted", o: requested(notInNomad, leaves(v1alpha1.DrainVMDeleted), overdue(time.Hour), back),
			step: member.MarkDrained},
		{name: "external", o: requested(external, overdue(time.Hour), back), step: member.ExtendDrain},
		{name: "external, in time", o: requested(external, overdue(time.Hour), known(2*time.Hour)), step: member.MarkDrained},
		{name: "works under another ID", o: booting(asked, works, overdue(time.Hour), back), step: member.ExtendDrain},
		{name: "works under another ID, in time", o: booting(asked, works, overdue(time.Hour), known(2*time.Hour)),
			step: member.MarkDrained},
	})
}
