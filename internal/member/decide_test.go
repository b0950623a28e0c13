package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestMemberIsMadeInOrder(t *testing.T) {
	secret := func(o *nodestate.State) { o.Secret = true }
	stale := func(o *nodestate.State) { o.IntroductionStaleAt = o.Now }
	soon := func(o *nodestate.State) { o.IntroductionStaleAt = o.Now.Add(time.Second) }
	runSteps(t, []stepCase{
		{name: "nothing exists", o: fresh(), step: member.CreateSecret},
		{name: "a VM without its Secret would start for ever", o: fresh(secret), step: member.CreateVM},
		{name: "its introduction token is about to run out", o: fresh(secret, stale), step: member.RenewSecret},
		{name: "not yet", o: fresh(secret, soon), step: member.CreateVM},
		{name: "nothing to renew before it is there", o: fresh(stale), step: member.CreateSecret},
		{name: "a VM that runs has read it", o: booting(secret, stale), step: member.Wait,
			wake: 8*time.Minute + 30*time.Second},
		{name: "VM made, joining", o: booting(), step: member.Wait, wake: 8*time.Minute + 30*time.Second},
		{name: "VM made, not yet seen to be", o: booting(func(o *nodestate.State) { o.Node.VMMade = false }),
			step: member.Wait, wake: 8*time.Minute + 30*time.Second},
		{name: "steady: nothing to wait for", o: steady(), step: member.Wait},
		{name: "Nomad unknown: a VM may be made all the same", o: fresh(secret, nomadUnknown), step: member.CreateVM},
	})
}

func TestProblemBlocksCreationAndIsCheckedAgain(t *testing.T) {
	problem := func(o *nodestate.State) {
		o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByTemplate,
			Problem: condition.Problem{Reason: v1alpha1.ReasonImageNotReady, Message: "Image is at 30 %."}}
	}
	runSteps(t, []stepCase{
		{name: "before the Secret", o: fresh(problem), step: member.Wait, wake: 15 * time.Second},
		{name: "before the VM", o: fresh(problem, func(o *nodestate.State) { o.Secret = true }),
			step: member.Wait, wake: 15 * time.Second},
		{name: "a VM that runs doesn't care", o: steady(problem), step: member.Wait},
		{name: "leaving doesn't care", o: fresh(problem, deleted), step: member.RequestDrain, reason: v1alpha1.DrainDeleted},
	})
}

// Once it has passed the guest is only looked for under another ID, again and again.
func TestJoinDeadlineWakes(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "a second before", o: booting(later(9*time.Minute - time.Second)), step: member.Wait, wake: time.Second},
		{name: "looked for under another ID: then its time is over next", o: booting(later(8*time.Minute + 30*time.Second)),
			step: member.Wait, wake: 30 * time.Second},
		{name: "at the deadline", o: booting(later(9 * time.Minute)), step: member.Wait, wake: 15 * time.Second},
		{name: "long after", o: booting(later(time.Hour)), step: member.Wait, wake: 15 * time.Second},
		{name: "long after, and no guest runs", o: booting(later(time.Hour), noInstance), step: member.Wait},
		{name: "joined once, down now", o: steady(func(o *nodestate.State) { o.Nomad.Status = "down" }), step: member.Wait},
		{name: "somebody else's VM has the name", o: fresh(externalVM), step: member.Wait, wake: 15 * time.Second},
	})
	r := booting().Node
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{r.Created, false}, {r.JoinDeadline().Add(-1), false}, {r.JoinDeadline(), true}, {now.Add(time.Hour), true}} {
		if got := r.JoinExpired(c.at); got != c.want {
			t.Errorf("JoinExpired at %s is %t, want %t", c.at, got, c.want)
		}
	}
	r.Joined = true
	if r.JoinExpired(now.Add(time.Hour)) {
		t.Error("a member that has joined is never late")
	}
}

func TestDeletionRequestsADrain(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "deleted while wanted", o: steady(deleted), step: member.RequestDrain, reason: v1alpha1.DrainDeleted},
		{name: "deleted before anything was made", o: fresh(deleted), step: member.RequestDrain,
			reason: v1alpha1.DrainDeleted},
		{name: "VM being deleted by somebody", o: steady(vmDeleting), step: member.RequestDrain,
			reason: v1alpha1.DrainVMDeleted},
		{name: "VM gone", o: steady(noVM), step: member.RequestDrain, reason: v1alpha1.DrainVMDeleted},
		{name: "VM gone before it joined", o: booting(noVM), step: member.RequestDrain, reason: v1alpha1.DrainVMDeleted},
		{name: "VM gone and another one of the name", o: steady(externalVM), step: member.RequestDrain,
			reason: v1alpha1.DrainVMDeleted},
		{name: "VM gone while Nomad is unknown", o: steady(noVM, nomadUnknown), step: member.RequestDrain,
			reason: v1alpha1.DrainVMDeleted},
		{name: "deleted, VM gone too", o: steady(noVM, deleted), step: member.RequestDrain, reason: v1alpha1.DrainDeleted},
		{name: "a halted VM isn't deleted, nor forgotten",
			o: steady(noInstance, func(o *nodestate.State) { o.VM.Halted = true }), step: member.Wait, wake: 15 * time.Second},
	})
}

func TestDrainIsCanceledInNomadBeforeTheRequestGoes(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "draining", o: draining(service("web"), canceled), step: member.CancelDrain},
		{name: "draining, ineligible before",
			o:    draining(service("web"), canceled, func(o *nodestate.State) { o.Node.CordonedFor = "request-0" }),
			step: member.CancelDrain},
		{name: "ineligible before", o: requested(canceled, ineligible), step: member.ClearDrainRequest},
		{name: "drain complete, still ineligible", o: requested(canceled, cordoned), step: member.CancelDrain},
		{name: "drain canceled, died before it was eligible",
			o: requested(canceled, cordoned, func(o *nodestate.State) { o.Nomad.DrainID = drainID }), step: member.CancelDrain},
		{name: "somebody else drains it: that stays as it is", o: draining(service("web"), canceled, othersDrain),
			step: member.ClearDrainRequest},
		{name: "eligible again, died before the request went", o: requested(canceled), step: member.ClearDrainRequest},
		{name: "just undone: a call may still be on its way", o: requested(justCanceled), step: member.Wait,
			wake: 9 * time.Second},
		{name: "such a call came", o: requested(justCanceled, cordoned), step: member.CancelDrain},
		{name: "just canceled, ineligible before", o: requested(justCanceled, ineligible), step: member.Wait,
			wake: 9 * time.Second},
		{name: "no call can be on its way any more", o: requested(canceledAgo(12 * time.Second)),
			step: member.ClearDrainRequest},
		{name: "canceled by a controller whose clock is ahead", o: requested(canceledAgo(-time.Minute)), step: member.Wait,
			wake: 12 * time.Second},
		{name: "canceled at a time that can't be", o: requested(canceledAgo(-time.Hour)), step: member.ClearDrainRequest},
		{name: "canceled by hand, without a time", o: requested(canceledByHand), step: member.RecordCancel},
		{name: "canceled by hand while Nomad is unknown", o: draining(nil, canceledByHand, nomadUnknown),
			step: member.RecordCancel},
		{name: "not in Nomad", o: booting(func(o *nodestate.State) { o.Node.Drain = drainRequest(now, now) }, canceled),
			step: member.ClearDrainRequest},
		{name: "Nomad unknown", o: draining(nil, canceled, nomadUnknown), step: member.Wait, wake: 15 * time.Second},
		{name: "too late: drained", o: draining(nil, canceled, func(o *nodestate.State) { o.Node.Drained = true }),
			step: member.DeleteNomadNode},
	})
}

// A cancellation may be half done: the drain of the old request is canceled, and the node is eligible again. Under the
// same request the canceled drain would count as sent, and at the deadline the tasks would be stopped undrained.
func TestNewReasonGetsARequestOfItsOwn(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "deleted before the drain was canceled", o: draining(service("web"), canceled, deleted),
			step:   member.RequestDrain,
			reason: v1alpha1.DrainDeleted},
		{name: "deleted half-way", o: requested(canceled, deleted, func(o *nodestate.State) { o.Nomad.DrainID = drainID }),
			step: member.RequestDrain, reason: v1alpha1.DrainDeleted},
		{name: "VM deleted: a dying guest is not opened for work", o: draining(service("web"), canceled, vmDeleting),
			step: member.RequestDrain, reason: v1alpha1.DrainVMDeleted},
	})
}

func TestHostIsFreedByReplacingTheMember(t *testing.T) {
	evacuated := func(o *nodestate.State) { o.Instance.EvacuatedFrom = "host-1" }
	runSteps(t, []stepCase{
		{name: "steady", o: steady(evacuated), step: member.RequestDrain, reason: v1alpha1.DrainEvacuation},
		{name: "not joined yet", o: booting(evacuated), step: member.RequestDrain, reason: v1alpha1.DrainEvacuation},
		{name: "while Nomad is unknown: the request is only written", o: steady(evacuated, nomadUnknown),
			step: member.RequestDrain, reason: v1alpha1.DrainEvacuation},
		{name: "leaving already", o: draining(nil, evacuated), step: member.MarkDrained},
		{name: "canceled: that is undone first", o: requested(canceled, evacuated), step: member.ClearDrainRequest},
		{name: "deleted", o: steady(evacuated, deleted), step: member.RequestDrain, reason: v1alpha1.DrainDeleted},
		{name: "VM deleted", o: steady(evacuated, vmDeleting), step: member.RequestDrain, reason: v1alpha1.DrainVMDeleted},
		{name: "an external VM", o: fresh(externalVM, evacuated), step: member.Wait, wake: 15e9},
	})
}
