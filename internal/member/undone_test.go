package member_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func cordonAccepted(first, last time.Duration) change {
	return func(o *nodestate.State) {
		o.Cordon = nodestate.Accepted{First: o.Now.Add(-first), Last: o.Now.Add(-last)}
	}
}

func drainAccepted(first, last time.Duration) change {
	return func(o *nodestate.State) {
		o.Drain = nodestate.Accepted{First: o.Now.Add(-first), Last: o.Now.Add(-last)}
	}
}

// notShown: Nomad shows nothing of the drain.
func notShown(o *nodestate.State) { o.Nomad.Draining, o.Nomad.DrainID = false, "" }

func TestCordonThatIsUndone(t *testing.T) {
	shut := func(o *nodestate.State) { o.Nomad.Eligible = false }
	runSteps(t, []stepCase{
		{name: "not shown yet", o: requested(cordonAccepted(0, 0)), step: member.Wait, wake: time.Second},
		{name: "not shown for a second", o: requested(cordonAccepted(time.Second, time.Second)), step: member.Cordon},
		{name: "it is asked less and less often", o: requested(cordonAccepted(8*time.Second, 2*time.Second)),
			step: member.Wait, wake: 4 * time.Second},
		{name: "a drain makes it ineligible as well", o: requested(cordonAccepted(10*time.Second, time.Second)),
			step: member.Drain},
		{name: "but one that holds only for an empty member needs it first",
			o: requested(cordonAccepted(time.Minute, 14*time.Second), onlyIf(v1alpha1.Empty)), step: member.Wait,
			wake: time.Second},
		{name: "and that one ends with its deadline",
			o:    requested(overdue(0), cordonAccepted(time.Minute, time.Second), onlyIf(v1alpha1.Empty)),
			step: member.RecordCancel},
		{name: "shown in the end", o: requested(cordonAccepted(time.Minute, time.Second), shut), step: member.Drain},
	})
}

func TestDrainThatIsUndone(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "not shown yet", o: draining(service("web"), notShown, drainAccepted(0, 0)), step: member.Wait, wake: time.Second},
		{name: "not shown for long", o: draining(service("web"), notShown, drainAccepted(time.Minute, 15*time.Second)),
			step: member.Drain},
		{name: "at the deadline at the latest",
			o:    draining(service("web"), notShown, overdue(-2*time.Second), drainAccepted(time.Minute, time.Second)),
			step: member.Wait, wake: 2 * time.Second},
		{name: "once after the deadline, to stop what is left",
			o: draining(service("web"), notShown, overdue(time.Second), drainAccepted(time.Minute, 10*time.Second)), step: member.Drain},
		{name: "which has the time to stop",
			o:    draining(service("web"), notShown, overdue(time.Minute), drainAccepted(time.Hour, grace-time.Second)),
			step: member.Wait, wake: time.Second},
		{name: "and no more", o: draining(service("web"), notShown, overdue(time.Minute), drainAccepted(time.Hour, grace)),
			step: member.MarkDrained},
		{name: "it doesn't get the time of a drain that was never sent",
			o: draining(service("web"), notShown, overdue(-time.Second), drainAccepted(time.Hour, time.Minute)), step: member.Drain},
		{name: "unless Nomad was away since",
			o: draining(service("web"), notShown, overdue(-time.Second), drainAccepted(time.Hour, time.Minute),
				func(o *nodestate.State) { o.NomadRecovered = o.Now.Add(-time.Second) }), step: member.ExtendDrain},
		{name: "which is given once",
			o: draining(service("web"), notShown, overdue(-time.Second), drainAccepted(time.Hour, time.Minute),
				func(o *nodestate.State) { o.NomadRecovered, o.DrainExtended = o.Now.Add(-time.Second), true }), step: member.Drain},
		{name: "one that holds only for an empty member stops nothing",
			o: draining(service("web"), notShown, overdue(-time.Second), drainAccepted(time.Hour, time.Minute),
				onlyIf(v1alpha1.Empty)), step: member.Drain},
		{name: "nor after its deadline, when it ends",
			o: draining(service("web"), notShown, overdue(time.Minute), drainAccepted(time.Hour, grace),
				onlyIf(v1alpha1.Empty)), step: member.RecordCancel},
		{name: "what is empty by then has left", o: draining(nil, notShown, drainAccepted(time.Hour, time.Second)),
			step: member.MarkDrained},
		{name: "Retain holds for a member whose VM was deleted as well",
			o: draining(service("web"), notShown, retain, overdue(time.Hour), drainAccepted(time.Hour, grace),
				func(o *nodestate.State) {
					d := o.Node.Drain.DeepCopy()
					d.Reason = v1alpha1.DrainVMDeleted
					o.Node.Drain = d
				}), step: member.Drain},
		{name: "with Retain it is sent again and again",
			o: draining(service("web"), notShown, retain, overdue(time.Hour), drainAccepted(time.Hour, time.Minute)), step: member.Drain},
		{name: "nothing needs no time", o: requested(overdue(time.Minute), cordonAccepted(time.Hour, time.Second),
			drainAccepted(time.Hour, grace), func(o *nodestate.State) { o.Nomad.LiveKnown = true }),
			step: member.MarkDrained},
		{name: "so is that of a node that is shown as eligible",
			o: requested(overdue(time.Minute), cordonAccepted(time.Hour, time.Second), drainAccepted(time.Hour, grace),
				stops(0)),
			step: member.MarkDrained},
	})
}

func TestWhatIsUndoneIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		o        nodestate.State
		reported bool
		ends     string
	}{
		"cordon, a moment ago":   {requested(cordonAccepted(time.Second, 0)), false, ""},
		"cordon, some time ago":  {requested(cordonAccepted(time.Minute, 0), stops(0)), true, "goes at about 2026-03-01T12:14:40Z"},
		"drain, some time ago":   {draining(service("web"), notShown, drainAccepted(time.Minute, 0)), true, "goes at about 2026-03-01T12:14:40Z"},
		"drain, after its time":  {draining(service("web"), notShown, overdue(time.Minute), drainAccepted(time.Hour, 0)), true, "goes at"},
		"with Retain":            {draining(service("web"), notShown, retain, drainAccepted(time.Minute, 0)), true, ""},
		"drain that Nomad shows": {draining(service("web"), drainAccepted(time.Hour, 0)), false, ""},
	} {
		got := decide(c.o).Conditions[v1alpha1.NodeDrainCompleted]
		if is := got.Reason == v1alpha1.ReasonDrainUndone; is != c.reported || !strings.Contains(got.Message, c.ends) ||
			c.ends == "" && strings.Contains(got.Message, "goes at") && is {
			t.Errorf("%s: %s: %s", name, got.Reason, got.Message)
		}
	}
}
