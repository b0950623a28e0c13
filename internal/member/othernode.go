package member

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// otherNodeMargin is how long before the end of its time to join a member is looked for under another ID: early enough
// for its pool to know before it would replace the member, and so late that few members are looked for.
const otherNodeMargin = 30 * time.Second

// ChecksForOther is true for a member whose guest runs, and not under the member's ID, when its time to join is nearly
// up, or when it leaves: the guest may have registered under another ID, and have work. One that had joined may have
// done so since, because somebody has removed its data directory.
func ChecksForOther(o nodestate.State) bool {
	switch r := o.Node; {
	case r.Drained || !MayHaveOther(o):
		return false
	case r.Leaving():
		return true
	default:
		return !r.Joined && !o.Now.Before(joinDeadline(o).Add(-otherNodeMargin))
	}
}

// MayHaveOther is true for a member whose guest runs while Nomad has no node of the member's ID that lives. A client
// that Nomad calls disconnected doesn't answer either, and its guest may answer under another ID.
func MayHaveOther(o nodestate.State) bool {
	lives := o.Nomad.Registered && o.Nomad.Status != "down" && o.Nomad.Status != "disconnected"
	return o.Nomad.Known && !lives && o.Nomad.External == "" && o.Instance.Exists && (!o.VM.Exists || o.VM.Owned)
}

// otherWork are the allocations on the node as which the guest has registered under another ID, without those that a
// drain wouldn't wait for.
func otherWork(o nodestate.State) []nodestate.Allocation {
	if o.Nomad.Other == nil || !MayHaveOther(o) {
		return nil
	}
	return WaitedFor(o.Nomad.Other.Live, o.Node.Policy)
}

// HasOtherWork is true for a member whose guest has work under another ID, that a drain waits for.
func HasOtherWork(o nodestate.State) bool { return len(otherWork(o)) > 0 }

// worksUnderOtherID is true for a member that isn't replaced although it hasn't joined, because its guest has work
// under another ID. While Nomad can't be asked, what was written last counts.
func worksUnderOtherID(o nodestate.State) bool {
	switch {
	case o.Node.Joined || o.Node.Leaving():
		return false
	case !o.Nomad.Known:
		return o.Node.BlockedBy == v1alpha1.BlockedByOtherNode
	default:
		return HasOtherWork(o)
	}
}

// drainOther waits for the work of a guest that has registered under another ID. Nothing is done to that node: why the
// guest has it isn't known. Allocations that end there wake nobody.
func drainOther(o nodestate.State) Decision {
	if o.Node.Policy.OnTimeout == v1alpha1.DrainRetain { // also if its VM is deleted, and its guest runs on
		return Decision{Step: Wait, Wake: problemRetry}
	}
	switch left := untilGivenUp(o); {
	case hadNoTime(o):
		return Decision{Step: ExtendDrain}
	case left > 0:
		return Decision{Step: Wait, Wake: min(left, problemRetry)}
	}
	return markDrained(true, v1alpha1.DrainDeadlinePassed,
		"The drain deadline has passed and onTimeout is Force. The guest had registered as Nomad node "+o.Nomad.Other.ID+
			", not under the member's ID. Cut off: "+strings.Join(named(otherWork(o), maxCut), ", ")+".")
}

// underOtherID describes a member whose guest has registered under another ID.
func underOtherID(o nodestate.State) metav1.Condition {
	return condition.False(v1alpha1.ReasonNodeIDDiffers,
		"The guest has registered as Nomad node "+o.Nomad.Other.ID+", and this member's is "+o.Node.ID+
			": something in its image, or in cloudInit.userData, gives its agent another data directory or removes "+
			clientIDFile+". Nothing is done to that node. While it has allocations the member is kept: "+
			"correct the cause, drain the node "+
			"(nomad node drain -enable "+o.Nomad.Other.ID+"), then delete this NomadNode.")
}

// clientIDFile is where the guest is given its ID.
const clientIDFile = "/opt/nomad/data/client/client-id"

// waitsForOther tells what the drain of such a member waits for.
func waitsForOther(o nodestate.State) metav1.Condition {
	message := "The guest has registered as Nomad node " + o.Nomad.Other.ID + ", not under the member's ID " + o.Node.ID +
		", and has work there, which is waited for: " + strings.Join(named(otherWork(o), 3), "; ") + ". "
	if o.Node.Policy.OnTimeout == v1alpha1.DrainRetain {
		message += "onTimeout is Retain, so that may take as long as it will"
	} else {
		message += "The member goes at " + stamp(givenUpAt(o)) + " at the latest"
	}
	return condition.False(v1alpha1.ReasonWaitingForAllocations,
		message+". Nothing is done to that node; to have its work moved: nomad node drain -enable "+o.Nomad.Other.ID)
}
