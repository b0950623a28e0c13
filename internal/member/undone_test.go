package member_test

import (
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
		if last := o.Drain.Last; !last.Before(o.Node.Drain.DeadlineTime.Time) {
			o.Stop = nodestate.Stop{Asked: last, Accepted: last}
		}
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
		{name: "unless it isn't known to be empty", o: draining(nil, notShown, drainAccepted(time.Hour, time.Minute),
			allocationsUnknown("")), step: member.Drain},
		{name: "or may get work, because it is shown as eligible", o: requested(cordonAccepted(time.Hour, time.Second),
			drainAccepted(time.Hour, time.Minute), func(o *nodestate.State) { o.Nomad.LiveKnown = true }), step: member.Drain},
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
		{name: "one that was promised more keeps that while it may get work",
			o: requested(overdue(time.Minute), cordonAccepted(time.Hour, time.Second), drainAccepted(time.Hour, grace),
				func(o *nodestate.State) { o.Nomad.LiveKnown, o.Node.StopTime = true, new(10*time.Minute) }),
			step: member.Wait, wake: 10*time.Minute + 10*time.Second - grace},
	})
}

func TestWhatIsUndoneIsSaid(t *testing.T) {
	const why = "Nomad accepts that the node is made ineligible and drained, but doesn't show it: somebody undoes it " +
		"(nomad node status aaaaaaaa-0000-4000-8000-000000000001 lists the node's events), or its servers are ill."
	web := service("web")
	for name, c := range map[string]struct {
		o    nodestate.State
		then string // after why; empty: nothing is said of it
	}{
		"cordon, a moment ago": {requested(cordonAccepted(time.Second, 0)), ""},
		"cordon, some time ago": {requested(cordonAccepted(time.Minute, 0), stops(0)),
			" The member goes at about 2026-03-01T12:14:40Z."},
		"drain, some time ago": {draining(web, notShown, drainAccepted(time.Minute, 0)),
			" The member goes at about 2026-03-01T12:14:40Z."},
		"drain, after its time": {draining(web, notShown, overdue(time.Minute), drainAccepted(time.Hour, 0)),
			" The member goes at about 2026-03-01T12:15:40Z."},
		"with Retain": {draining(web, notShown, retain, drainAccepted(time.Minute, 0)),
			" It is asked again at least every 15 s."},
		"only if it is empty": {requested(cordonAccepted(time.Minute, 0), onlyIf(v1alpha1.Empty)),
			" It is asked again at least every 15 s, until 2026-03-01T12:14:00Z; then the member stays, because it is to " +
				"leave only if it is empty."},
		"drain that Nomad shows": {draining(web, drainAccepted(time.Hour, 0)), ""},
	} {
		c.o.Node.ID = "aaaaaaaa-0000-4000-8000-000000000001"
		got := decide(c.o).Conditions[v1alpha1.NodeDrainCompleted]
		if is := got.Reason == v1alpha1.ReasonDrainUndone; is != (c.then != "") || is && got.Message != why+c.then {
			t.Errorf("%s: %s: %s", name, got.Reason, got.Message)
		}
	}
}
