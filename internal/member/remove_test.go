package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestMemberIsRemovedInOrder(t *testing.T) {
	listed := func(o *nodestate.State) { o.VM.RemovalListed = true }
	claims := func(deleting ...bool) change {
		return func(o *nodestate.State) {
			for _, d := range deleting {
				o.Claims = append(o.Claims, nodestate.Claim{Name: "disk", Deleting: d, DeletingSince: now})
			}
		}
	}
	secret := func(o *nodestate.State) { o.Secret = true }
	madeJustNow := func(o *nodestate.State) { o.Node.Created = now.Add(-10 * time.Second) }
	taken := func(o *nodestate.State) { o.VM.Taken = true }
	runSteps(t, []stepCase{
		{name: "the NomadNode goes first, so that nothing new begins",
			o: removing(func(o *nodestate.State) { o.Node.DeletedAt = time.Time{} }), step: member.DeleteNomadNode},
		{name: "then Harvester learns of the claims", o: removing(), step: member.ListClaims},
		{name: "then the VM", o: removing(listed), step: member.DeleteVM},
		{name: "but not before KubeVirt has taken it", o: removing(listed, madeJustNow), step: member.Wait,
			wake: 20 * time.Second},
		{name: "which it has", o: removing(listed, madeJustNow, taken), step: member.DeleteVM},
		{name: "or is away", o: removing(listed, madeJustNow, later(20*time.Second)), step: member.DeleteVM},
		{name: "shutting down", o: removing(listed, vmDeleting), step: member.Wait, wake: 10*time.Minute - 20*time.Second},
		{name: "deleted by somebody, claims not listed", o: removing(vmDeleting), step: member.Wait,
			wake: 10*time.Minute - 20*time.Second},
		{name: "stuck", o: removing(listed, vmDeleting, later(time.Hour)), step: member.Wait},
		{name: "the guest is gone, the VM goes in a moment",
			o: removing(listed, vmDeleting, noInstance, later(-7*time.Second)), step: member.Wait, wake: 2 * time.Second},
		{name: "the guest is gone, the VM isn't", o: removing(listed, vmDeleting, noInstance), step: member.Wait,
			wake: 15 * time.Second},
		{name: "denied by a quota", o: removing(listed, vmDeleting, noInstance, deniedByQuota), step: member.HaltVM},
		{name: "denied by a quota, and its instance with it", o: removing(listed, vmDeleting, ended, deniedByQuota),
			step: member.HaltVM},
		{name: "its instance has ended a moment ago", o: removing(listed, vmDeleting, ended, later(-7*time.Second)),
			step: member.Wait, wake: 2 * time.Second},
		{name: "halted, and denied all the same", o: removing(listed, vmDeleting, noInstance, deniedByQuota, halted),
			step: member.Wait,
			wake: 15 * time.Second},
		{
			name: "denied for something that halting doesn't help",
			o: removing(listed, vmDeleting, noInstance, func(o *nodestate.State) {
				o.VM.Denied = &nodestate.Blocked{By: v1alpha1.BlockedByAdmission,
					Problem: condition.Problem{Reason: v1alpha1.ReasonAdmissionDenied}}
			}),
			step: member.Wait,
			wake: 15 * time.Second,
		},
		{name: "VM gone, guest may still run", o: removing(vmOnlyGone, going(time.Second)), step: member.Wait,
			wake: time.Second},
		{name: "VM gone, guest may run for long", o: removing(vmOnlyGone, going(time.Hour)), step: member.Wait,
			wake: 15 * time.Second},
		{name: "VM gone, its instance left to itself", o: removing(vmOnlyGone), step: member.Wait, wake: 15 * time.Second},
		{name: "claims are stuck", o: removing(noVM, notInNomad, terminating(time.Hour)), step: member.Wait,
			wake: 15 * time.Second},
		{name: "refused", o: removing(listed, refused), step: member.Wait, wake: 15 * time.Second},
		{name: "refused before, done since by others", o: removing(noVM, refused), step: member.Purge},
		{name: "guest gone", o: removing(noVM, claims(false), secret), step: member.Purge},
		{name: "purged", o: removing(noVM, notInNomad, claims(true, false), secret), step: member.DeleteClaims},
		{name: "claims going", o: removing(noVM, notInNomad, terminating(2*time.Second), secret), step: member.Wait,
			wake: time.Second},
		{name: "claims going for a while", o: removing(noVM, notInNomad, terminating(20*time.Second), secret),
			step: member.Wait, wake: 5 * time.Second},
		{name: "claims gone", o: removing(noVM, notInNomad, secret), step: member.DeleteSecret},
		{name: "all gone", o: removing(noVM, notInNomad), step: member.Release},
		{name: "a guest came back after the purge", o: removing(noVM, claims(true)), step: member.Purge},
	})
}

// The node may have got work since it was drained, and only Nomad knows.
func TestVMIsKeptWhileNomadCantBeAsked(t *testing.T) {
	listed := func(o *nodestate.State) { o.VM.RemovalListed = true }
	just := func(o *nodestate.State) { o.Node.DeletedAt, o.Node.DrainedAt = o.Now, o.Now }
	forced := func(o *nodestate.State) { o.Node.DrainResult = v1alpha1.DrainDeadlinePassed }
	runSteps(t, []stepCase{
		{name: "claims not listed yet", o: removing(nomadUnknown, just), step: member.Wait, wake: 15 * time.Second},
		{name: "claims listed", o: removing(nomadUnknown, just, listed), step: member.Wait, wake: 15 * time.Second},
		{name: "for as long as it takes, as nobody asked for the deletion",
			o: removing(nomadUnknown, just, listed, later(100*time.Hour)), step: member.Wait, wake: 15 * time.Second},
		{name: "never joined, and may have since",
			o: removing(nomadUnknown, just, listed, leaves(v1alpha1.DrainJoinTimeout), later(100*time.Hour)), step: member.Wait,
			wake: 15 * time.Second},
		{name: "a user deleted it: almost as long",
			o:    removing(nomadUnknown, just, listed, leaves(v1alpha1.DrainDeleted), later(10*time.Minute-time.Second)),
			step: member.Wait, wake: time.Second},
		{name: "a user deleted it: not for ever",
			o:    removing(nomadUnknown, just, listed, leaves(v1alpha1.DrainDeleted), later(10*time.Minute)),
			step: member.DeleteVM},
		{name: "somebody deleted its VM: not for ever",
			o:    removing(nomadUnknown, just, listed, leaves(v1alpha1.DrainVMDeleted), later(10*time.Minute)),
			step: member.DeleteVM},
		{name: "its pool is deleted: not for ever", o: removing(nomadUnknown, just, listed, poolDeleted,
			later(10*time.Minute)),
			step: member.DeleteVM},
		{name: "not asked yet, however long the controller was away",
			o: removing(notAsked, just, listed, poolDeleted, later(time.Hour)), step: member.Wait, wake: 15 * time.Second},
		{name: "the deadline had passed anyway", o: removing(nomadUnknown, just, listed, forced), step: member.DeleteVM},
	})
}

func TestExternalVMIsLeftAloneAndBlocksNothing(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "never owned", o: fresh(externalVM, requesting), step: member.MarkDrained},
		{name: "never owned, Nomad unknown", o: fresh(externalVM, requesting, nomadUnknown), step: member.MarkDrained},
		{name: "drained", o: removing(externalVM, notInNomad), step: member.Release},
		{name: "drained, node to be purged", o: removing(externalVM), step: member.Purge},
		{name: "the member's guest still runs beside it",
			o: removing(going(0), func(o *nodestate.State) { o.VM = nodestate.VM{Exists: true} }), step: member.Wait,
			wake: time.Second},
	})
}

func TestPurgeIsWaitedForButNotForEver(t *testing.T) {
	keep := func(o *nodestate.State) { o.Node.Purge = false }
	longDrain := func(o *nodestate.State) {
		o.Node.DeletedAt = o.Now.Add(-time.Hour)
		o.Node.DrainedAt = o.Now.Add(-10*time.Minute + 3*time.Second)
	}
	runSteps(t, []stepCase{
		{name: "no purge wanted", o: removing(noVM, keep), step: member.Release},
		{name: "no purge wanted, Nomad unknown", o: removing(noVM, keep, nomadUnknown), step: member.Release},
		{name: "Nomad unknown", o: removing(noVM, nomadUnknown), step: member.Wait, wake: 15 * time.Second},
		{name: "Nomad unknown, timeout over", o: removing(noVM, nomadUnknown, later(time.Hour)), step: member.Release},
		{name: "not asked yet, however long the controller was away", o: removing(noVM, notAsked, later(time.Hour)),
			step: member.Wait, wake: 15 * time.Second},
		{name: "the drain took an hour: that isn't counted", o: removing(noVM, nomadUnknown, longDrain), step: member.Wait,
			wake: 3 * time.Second},
		{name: "Nomad unknown, VM still there, timeout over", o: removing(nomadUnknown, poolDeleted, later(time.Hour)),
			step: member.ListClaims},
	})
	for _, c := range []struct {
		name string
		o    nodestate.State
		late bool
	}{
		{"purged", removing(noVM, notInNomad), false},
		{"not wanted", removing(noVM, keep, nomadUnknown), false},
		{"never answered", removing(noVM, nomadUnknown, later(time.Hour)), true},
	} {
		if d := decide(c.o); d.Step != member.Release || d.Late != c.late {
			t.Errorf("%s: got %s late=%t, want Release late=%t", c.name, d.Step, d.Late, c.late)
		}
	}
}

func TestPoolIsNeededOnlyWhileAVMWaits(t *testing.T) {
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"blocked":           {removing(nomadUnknown), true},
		"not asked yet":     {removing(notAsked), false},
		"Nomad answers":     {removing(), false},
		"deleted by a user": {removing(nomadUnknown, leaves(v1alpha1.DrainDeleted)), false},
		"not drained":       {draining(nil, nomadUnknown), false},
		"VM being deleted":  {removing(nomadUnknown, vmDeleting), false},
		"an external VM":    {removing(nomadUnknown, externalVM), false},
		"ends in any case": {removing(nomadUnknown,
			func(o *nodestate.State) { o.Node.DrainResult = v1alpha1.DrainDeadlinePassed }), false},
		"no guest runs": {removing(nomadUnknown, noVM), false},
		"drained before, has got work since, and Nomad answers": {requested(deleted, func(o *nodestate.State) {
			o.Node.DeletedByController = true
		}), false},
		"wanted, and steady": {steady(nomadUnknown), false},
	} {
		if got := member.NeedsPool(c.o); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
