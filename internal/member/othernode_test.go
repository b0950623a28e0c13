package member_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const otherID = "bbbbbbbb-0000-4000-8000-000000000002"

// registeredAs has the guest of a member registered under another ID, with allocations.
func registeredAs(id string, live []nodestate.Allocation) change {
	return func(o *nodestate.State) {
		o.Node.ID = "aaaaaaaa-0000-4000-8000-000000000001"
		o.Nomad = nodestate.Nomad{Known: true, Other: &nodestate.OtherNode{ID: id, Live: live}}
	}
}

// registered has the guest registered under the member's ID.
func registered(status string) change {
	return func(o *nodestate.State) { o.Nomad.Registered, o.Nomad.Status = true, status }
}

// asked has the drain of a booting member requested.
func asked(o *nodestate.State) {
	o.Node.Drain = drainRequest(now.Add(-time.Minute), now.Add(14*time.Minute))
}

func TestWhoIsLookedForUnderAnotherID(t *testing.T) {
	nearly := later(8*time.Minute + 30*time.Second)
	status := func(is string) change { return func(o *nodestate.State) { o.Nomad.Status = is } }
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"its time is nearly up":                  {booting(nearly), true},
		"its time is up":                         {booting(later(time.Hour)), true},
		"its node was never ready, and is down":  {booting(nearly, registered("down")), true},
		"its node was never ready, and lives":    {booting(nearly, registered("initializing")), false},
		"it leaves":                              {booting(asked), true},
		"it is deleted":                          {booting(deleted), true},
		"its VM is gone, its instance isn't":     {booting(asked, vmOnlyGone), true},
		"it has time":                            {booting(later(8*time.Minute + 29*time.Second)), false},
		"it has joined":                          {steady(nearly), false},
		"it had joined":                          {steady(notInNomad, asked), true},
		"it had joined, its node is down":        {steady(status("down"), asked), true},
		"it stays":                               {steady(notInNomad, nearly), false},
		"its node is disconnected, and it stays": {steady(status("disconnected"), nearly), false},
		"its node is disconnected":               {steady(status("disconnected"), asked), true},
		"its node was never ready, and is away":  {booting(nearly, registered("disconnected")), true},
		"no guest runs":                          {booting(nearly, noInstance), false},
		"the VM isn't its own":                   {booting(nearly, externalVM), false},
		"its ID is taken":                        {booting(nearly, func(o *nodestate.State) { o.Nomad.External = "db" }), false},
		"Nomad isn't known":                      {booting(nearly, nomadUnknown), false},
		"it is drained":                          {booting(asked, func(o *nodestate.State) { o.Node.Drained = true }), false},
	} {
		if got := member.ChecksForOther(c.o); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A guest that has work under another ID isn't taken for one that never joined.
func TestGuestUnderAnotherIDIsKept(t *testing.T) {
	for name, o := range map[string]nodestate.State{
		"never seen under its own": booting(later(time.Hour), registeredAs(otherID, service("web"))),
		"seen there, never ready":  booting(later(time.Hour), registeredAs(otherID, service("web")), registered("down")),
	} {
		t.Run(name, func(t *testing.T) { isKept(t, o) })
	}
}

func isKept(t *testing.T, o nodestate.State) {
	t.Helper()
	d := decide(o)
	joined, stalled := d.Conditions[v1alpha1.NodeJoined], d.Conditions[v1alpha1.NodeStalled]
	if d.BlockedBy != v1alpha1.BlockedByOtherNode || d.Step != member.Wait || d.Wake != 15*time.Second {
		t.Errorf("blocked by %q, next %s in %s", d.BlockedBy, d.Step, d.Wake)
	}
	for _, c := range []metav1.Condition{joined, stalled, d.Conditions[v1alpha1.NodeReady]} {
		if c.Reason != v1alpha1.ReasonNodeIDDiffers || !strings.Contains(c.Message, otherID) ||
			!strings.Contains(c.Message, o.Node.ID) {
			t.Errorf("%+v", c)
		}
	}
	if joined.Status != metav1.ConditionFalse || stalled.Status != metav1.ConditionTrue {
		t.Errorf("Joined %s, Stalled %s", joined.Status, stalled.Status)
	}
	o.Node.BlockedBy, o.Node.LastConditions = d.BlockedBy, d.Conditions
	if unknown := decide(with(o, nomadUnknown)); unknown.BlockedBy != v1alpha1.BlockedByOtherNode ||
		unknown.Conditions[v1alpha1.NodeStalled].Reason != v1alpha1.ReasonNodeIDDiffers {
		t.Errorf("while Nomad can't be asked: %+v", unknown)
	}
}

// Without work it is replaced as any that didn't join, and says why.
func TestIdleGuestUnderAnotherIDIsNotKept(t *testing.T) {
	for name, o := range map[string]nodestate.State{
		"idle":           booting(later(time.Hour), registeredAs(otherID, nil)),
		"of system jobs": booting(later(time.Hour), registeredAs(otherID, system("log")), ignoreSystem),
	} {
		if d := decide(o); d.BlockedBy != "" || d.Conditions[v1alpha1.NodeJoined].Reason != v1alpha1.ReasonNodeIDDiffers {
			t.Errorf("%s: blocked by %q, %+v", name, d.BlockedBy, d.Conditions[v1alpha1.NodeJoined])
		}
	}
}

// When it leaves, its work gets the time that any work gets.
func TestLeavingGuestUnderAnotherID(t *testing.T) {
	works := registeredAs(otherID, service("web"))
	runSteps(t, []stepCase{
		{name: "it has work", o: booting(asked, works), step: member.Wait, wake: 15 * time.Second},
		{name: "it has work, Retain", o: booting(asked, works, retain, overdue(time.Hour)), step: member.Wait,
			wake: 15 * time.Second},
		{name: "its deadline has passed", o: booting(asked, works, overdue(member.ForceGrace)), step: member.MarkDrained},
		{name: "it has none", o: booting(asked, registeredAs(otherID, nil)), step: member.MarkDrained},
		{name: "its VM is deleted", o: booting(asked, works, noVM), step: member.MarkDrained},
		{name: "its VM is deleted, Retain, and its guest runs on", o: booting(asked, works, retain, vmOnlyGone,
			func(o *nodestate.State) { o.Node.Drain.Reason = v1alpha1.DrainVMDeleted }, overdue(time.Hour)),
			step: member.Wait, wake: 15 * time.Second},
		{name: "it had joined", o: steady(asked, works), step: member.Wait, wake: 15 * time.Second},
		{name: "its own node is down", o: steady(asked, works, nodeDown), step: member.Wait, wake: 15 * time.Second},
	})
	runConditions(t, v1alpha1.NodeDrainCompleted, []conditionCase{
		{"it has work", booting(asked, works), "False", v1alpha1.ReasonWaitingForAllocations,
			"Nomad node " + otherID + ", not under the member's ID aaaaaaaa-0000-4000-8000-000000000001, and has work there, " +
				"which is waited for: web. The member goes at 2026-03-01T12:14:40Z at the latest. Nothing is done to that node"},
		{"it has work, Retain", booting(asked, works, retain), "False", v1alpha1.ReasonWaitingForAllocations,
			"which is waited for: web. onTimeout is Retain, so that may take as long as it will. Nothing is done to that node"},
	})
	if d := decide(booting(asked, works, overdue(member.ForceGrace))); d.Drained.Result != v1alpha1.DrainDeadlinePassed ||
		!strings.Contains(d.Drained.Message, "Cut off: web") {
		t.Errorf("%+v", d.Drained)
	}
}

// nodeDown adds the member's own node, which is down.
func nodeDown(o *nodestate.State) { o.Nomad.Registered, o.Nomad.Status = true, "down" }

// What was written of another ID is believed only while Nomad can't be asked.
func TestGuestUnderAnotherIDThanBefore(t *testing.T) {
	const third = "cccccccc-0000-4000-8000-000000000003"
	before := written(booting(later(time.Hour), registeredAs(otherID, service("web"))))
	runConditions(t, v1alpha1.NodeStalled, []conditionCase{
		{"under a third one", with(before, registeredAs(third, service("web"))), "True", v1alpha1.ReasonNodeIDDiffers, third},
	})
}

// It is kept only as long as nothing else is known of it.
func TestGuestUnderAnotherIDDoesNotBlockWhoJoinedOrLeaves(t *testing.T) {
	works := registeredAs(otherID, service("web"))
	for name, o := range map[string]nodestate.State{"joined": steady(works), "leaves": booting(asked, works)} {
		if by := decide(o).BlockedBy; by != "" {
			t.Errorf("%s: blocked by %q", name, by)
		}
	}
}

// Before its drain is requested, because that was refused a moment ago, and when it is canceled, one that leaves is
// described as well.
func TestDeletedMemberWithWorkUnderAnotherIDIsDescribed(t *testing.T) {
	elsewhere := func(o *nodestate.State) {
		o.Nomad = nodestate.Nomad{Known: true, Other: &nodestate.OtherNode{ID: "b", Live: service("web")}}
	}
	for name, o := range map[string]nodestate.State{
		"not requested yet":         steady(deleted, elsewhere),
		"not requested yet, retain": steady(deleted, elsewhere, retain),
		"canceled":                  requested(canceled, deleted, elsewhere),
	} {
		if c := decide(o).Conditions[v1alpha1.NodeDrainCompleted]; c.Status != "False" || c.Reason != v1alpha1.ReasonDraining {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// A guest that hasn't joined in time may register under another ID later, or again after a reboot, and work until the
// member is replaced, which may have to wait for its turn. No change of that node wakes the member.
func TestMemberThatHasNotJoinedIsLookedForAgain(t *testing.T) {
	expired := later(joinTimeout + time.Minute)
	runSteps(t, []stepCase{
		{name: "its guest runs", o: booting(expired), step: member.Wait, wake: 15 * time.Second},
		{name: "no guest runs", o: booting(expired, noInstance), step: member.Wait},
		{name: "it has registered under its own ID", o: booting(expired, func(o *nodestate.State) {
			o.Nomad.Registered, o.Nomad.Status = true, "initializing"
		}), step: member.Wait},
	})
}
