package member

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Description is what the status of a member gets.
type Description struct {
	// JoinedTime is when the Nomad node was first seen ready; zero: it wasn't yet.
	JoinedTime time.Time
	// UnhealthyTime is since when a member that has joined hasn't worked; zero: it works, or that isn't known.
	UnhealthyTime time.Time
	// CapacityAvailableTime is when the VM got the capacity that it had lacked, or when it was started again before its
	// guest had joined; zero: neither was needed.
	CapacityAvailableTime time.Time
	// OnlySystemTime is since when only allocations of system jobs have been left on a draining node; zero: there are
	// others, or none.
	OnlySystemTime time.Time
	// ForcedTime is since when what is left after the drain deadline has its time to stop; zero: it isn't forced to yet.
	ForcedTime time.Time
	// BlockedBy is what blocks the member; empty: nothing does.
	BlockedBy v1alpha1.BlockedCause
	// Phase and Conditions describe the member.
	Phase      v1alpha1.NodePhase
	Conditions map[string]metav1.Condition
}

// Describe describes a member after a step. What the member waits for follows from its next step.
func Describe(before nodestate.State, out Outcome) Description {
	o := joins(believed(out.After(before)))
	d := Next(o)
	return Description{
		JoinedTime:    o.Node.JoinedAt,
		UnhealthyTime: unhealthyTime(o), CapacityAvailableTime: capacityAvailableTime(o), OnlySystemTime: onlySystemTime(o),
		ForcedTime: forcedTime(o), BlockedBy: blockedBy(o), Phase: phase(o, d), Conditions: conditions(o, d)}
}

// joins notes that a member has joined once its Nomad node is ready for the first time.
func joins(o nodestate.State) nodestate.State {
	if !o.Node.Joined && o.Nomad.Up() {
		o.Node.Joined, o.Node.JoinedAt = true, o.Now
	}
	return o
}

func phase(o nodestate.State, d Decision) v1alpha1.NodePhase {
	r, coming := o.Node, hasTimeToJoin(o)
	switch {
	case r.Drained:
		return removalPhase(o)
	case r.Leaving() || d.Step == RequestDrain:
		return v1alpha1.NodeDraining
	case !o.VM.Exists && !o.Secret:
		return v1alpha1.NodePending
	case !o.VM.Exists || coming && !o.Instance.Running:
		return v1alpha1.NodeProvisioning
	case works(o):
		return v1alpha1.NodePhaseReady
	case takesNoWork(o):
		return v1alpha1.NodeIneligible
	case coming:
		return v1alpha1.NodeJoining
	default:
		return v1alpha1.NodeUnhealthy
	}
}

func hasTimeToJoin(o nodestate.State) bool {
	return o.VM.Owned && (!o.VM.Halted || o.VM.AboveQuota != "") && !o.Node.Joined && !joinExpired(o)
}

// takesNoWork is true for a member whose node works and takes no work, because an operator drains it or made it
// ineligible, or a canceled drain is being undone. Unknown is not down, as in works.
func takesNoWork(o nodestate.State) bool {
	if !o.Nomad.Known {
		return o.Node.Phase == v1alpha1.NodeIneligible && o.Node.Joined && o.Instance.Running
	}
	return o.Nomad.Up()
}

func removalPhase(o nodestate.State) v1alpha1.NodePhase {
	switch vm := o.VM.Exists && o.VM.Owned; {
	case vmStays(o):
		return v1alpha1.NodePhaseDrained
	case vm || o.Instance.Exists:
		return v1alpha1.NodeDeleting
	default:
		return v1alpha1.NodePurging
	}
}

// works is true for a member that takes work. Unknown is not down: while Nomad can't be asked, the last written
// condition counts.
func works(o nodestate.State) bool {
	if !o.Nomad.Known {
		if was, ok := lastWritten(o, v1alpha1.NodeReady); ok && was.Status == metav1.ConditionFalse {
			return false
		}
		return o.Node.Joined && o.Instance.Running && o.Node.Phase != v1alpha1.NodeIneligible
	}
	return o.Nomad.Ready()
}

// unhealthyTime is since when a member that had joined has been down, disconnected or gone in Nomad. Time in which
// Nomad can't be asked doesn't count: the timeout starts again afterwards. It doesn't start again if the controller has
// merely restarted and has not asked Nomad yet. It is zero while somebody keeps the VM halted or the VM lacks capacity,
// because the guest has to boot afterwards.
func unhealthyTime(o nodestate.State) time.Time {
	was := o.Node.UnhealthyTime
	_, lacks := lacksCapacity(o)
	switch {
	case !o.Node.Joined, o.Node.Leaving(), o.VM.Owned && o.VM.Halted, lacks:
		return time.Time{}
	case o.Nomad.NotAsked:
		return was
	case !o.Nomad.Known, o.Nomad.Up():
		return time.Time{}
	case was.IsZero():
		return o.Now.Truncate(time.Second)
	default:
		return was
	}
}

// lastWritten returns the last written condition while this process has not reached Nomad yet, so that a restart
// doesn't flip conditions. It returns the condition whatever its text is. Whether it still applies follows from the
// phase that was written with it.
func lastWritten(o nodestate.State, kind string) (metav1.Condition, bool) {
	was, ok := o.Node.LastConditions[kind]
	return was, ok && o.Nomad.NotAsked && !o.Nomad.Known
}

func conditions(o nodestate.State, d Decision) map[string]metav1.Condition {
	c := map[string]metav1.Condition{v1alpha1.NodeVMReady: vmReady(o), v1alpha1.NodeJoined: joined(o),
		v1alpha1.NodeDrainCompleted: drainCompleted(o, d)}
	c[v1alpha1.NodeReady] = ready(o, d, c)
	c[v1alpha1.NodeStalled] = stalled(o, c)
	return c
}

// stalled reports whether a member gets no further until a person acts.
func stalled(o nodestate.State, c map[string]metav1.Condition) metav1.Condition {
	by, because := blockedBy(o), c[v1alpha1.NodeVMReady]
	if was, ok := lastWritten(o, v1alpha1.NodeStalled); ok && by == v1alpha1.BlockedByToken {
		return was
	}
	if by == v1alpha1.BlockedByOtherNode {
		if was, ok := o.Node.LastConditions[v1alpha1.NodeStalled]; ok && !o.Nomad.Known {
			return was
		}
		because = c[v1alpha1.NodeJoined]
	}
	blocked := nodestate.Blocked{By: by}
	if o.Problem != nil && o.Problem.By == by {
		blocked.Problem = o.Problem.Problem
	}
	if blocked.NeedsPerson(o.Nomad.Known) {
		return condition.True(because.Reason, because.Message)
	}
	if o.Node.Leaving() && o.Nomad.Misconfigured { // of one that stays the pool says so
		return condition.True(v1alpha1.ReasonNomadUnknown, o.Nomad.Why)
	}
	return condition.False(v1alpha1.ReasonAsExpected, "Nothing waits for a person.")
}

// thenReplaced tells that a member that no longer works is replaced. A member whose VM somebody halted isn't.
func thenReplaced(o nodestate.State) string {
	if o.VM.Owned && o.VM.Halted {
		return ""
	}
	return ifItLasts
}

const ifItLasts = " If that lasts for health.unhealthyTimeout the member is replaced, " +
	"unless something speaks against it, which the pool's condition Ready then says."

// joined is the condition Joined.
func joined(o nodestate.State) metav1.Condition {
	if was, ok := lastWritten(o, v1alpha1.NodeJoined); ok {
		return was
	}
	switch {
	case !o.Nomad.Known && o.Node.Joined:
		return condition.True(v1alpha1.ReasonJoined, "The guest has joined Nomad.")
	case !o.Nomad.Known:
		return condition.Unknown(v1alpha1.ReasonNomadUnknown, o.Nomad.Why)
	case o.Nomad.External != "":
		return idTaken(o)
	case o.Nomad.Other != nil && !o.Node.Joined: // a node of the member's ID is down, if there is one
		return underOtherID(o)
	case o.Nomad.Misplaced != "":
		return misplaced(o)
	case o.Nomad.Registered && !neverReady(o):
		return hasJoined(o)
	case o.Nomad.MetaChanged:
		return metaChanged(o)
	case o.Node.Joined:
		return forgotten(o)
	case joinExpired(o):
		return condition.False(v1alpha1.ReasonJoinTimeout,
			"The guest didn't join Nomad within health.joinTimeout. "+
				"Look at its console in Harvester (cloud-init, nomad.service). "+
				"It is replaced, unless too many in a row have failed: "+
				"then it is kept, and the pool's condition JoinsHealthy says so. "+
				condition.Servers(o.Node.Servers, o.Nomad.Leader))
	default:
		return condition.False(v1alpha1.ReasonJoining,
			"Waiting for the guest to join Nomad"+untilWhen(o)+". "+condition.Servers(o.Node.Servers, o.Nomad.Leader))
	}
}

// hasJoined tells of a guest that has registered, and of others that have its name.
func hasJoined(o nodestate.State) metav1.Condition {
	if o.Nomad.Namesake == "" {
		return condition.True(v1alpha1.ReasonJoined, "The guest has joined Nomad.")
	}
	return condition.True(v1alpha1.ReasonNameShared,
		fmt.Sprintf("The guest has joined Nomad, and another client with its name as well: node %s. It may be a copy of "+
			"the VM, or somebody who has read the member's introduction token. Look at it (nomad node status %s) and, if it "+
			"isn't yours, stop it and purge it.", o.Nomad.Namesake, o.Nomad.Namesake))
}

// neverReady is true for a wanted member that didn't join in time, even if its guest has registered.
func neverReady(o nodestate.State) bool { return !o.Node.Joined && !o.Node.Leaving() && joinExpired(o) }

// onItsWay is true for a guest that has registered and may get ready yet.
func onItsWay(o nodestate.State) bool {
	return o.Nomad.Registered && o.Nomad.Other == nil && !neverReady(o)
}

// forgotten tells why Nomad doesn't know the node of a member that had joined.
func forgotten(o nodestate.State) metav1.Condition {
	if o.Node.Drained && !o.Instance.Exists {
		return condition.False(v1alpha1.ReasonRemoving, "The node has left Nomad with the member's VM.")
	}
	return condition.False(v1alpha1.ReasonNodeDown,
		"Nomad no longer knows the node: it was purged, or its state was lost. A client that lives registers again; "+
			"if it doesn't, look at the console of its VM (nomad.service)."+thenReplaced(o))
}

// untilWhen is when a guest must have joined, in words. It is empty until that is fixed: the time to join begins when
// the VM is made, gets the capacity that it lacked, or when its pool judges again whether members join.
func untilWhen(o nodestate.State) string {
	if _, lacks := lacksCapacity(o); lacks || !o.Node.VMMade || o.VM.Halted || o.Node.LackedCapacity() || o.Suspended {
		return ""
	}
	return " until " + stamp(joinDeadline(o)) + " (health.joinTimeout)"
}

// drainNomadUnknownCondition tells why the drain makes no progress while Nomad can't be asked, when the member goes
// anyway, and what to do if Nomad is gone for good.
func drainNomadUnknownCondition(o nodestate.State) metav1.Condition {
	const blocked = "Held, because Nomad can't be asked"
	r, wrong := o.Node, " What is wrong: "+o.Nomad.Why+connectionOf
	switch {
	case !deletedBySomebody(o) || !o.DrainRequested():
		return condition.False(v1alpha1.ReasonNomadUnknown, blocked+": "+o.Nomad.Why)
	case r.Policy.OnTimeout == v1alpha1.DrainRetain:
		return condition.False(v1alpha1.ReasonNomadUnknown,
			blocked+"; set spec.scaleIn.drain.onTimeout of this NomadNode to Force "+
				"to have it removed at its drain deadline all the same: "+o.Nomad.Why+connectionOf)
	}
	goes := blocked + ". The member was deleted, so it goes all the same, at " + stamp(givenUpAt(o)) + " at the latest"
	if !r.Drain.DeadlineTime.After(r.Drain.RequestTime.Time) {
		return condition.False(v1alpha1.ReasonNomadUnknown, goes+": until then what may run there has time to stop."+wrong)
	}
	return condition.False(
		v1alpha1.ReasonNomadUnknown,
		goes+". To end that sooner, which cuts off what may still run there: "+
			patch(r, `{"spec":{"drain":{"deadlineTime":"`+stamp(r.Drain.RequestTime.Time)+`"}}}`)+wrong,
	)
}

// connectionOf tells where spec.nomad is. The member may have outlived its pool.
const connectionOf = " (spec.nomad is the pool's or, if the pool is gone, this NomadNode's)"

// patch is the command that changes a member's NomadNode.
func patch(r nodestate.Node, doc string) string {
	return fmt.Sprintf("kubectl patch nn -n %s %s --type merge -p '%s'", r.Namespace, r.Name, doc)
}

// stamp is a point in time, in words. A remaining duration would change the status all the time.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// drainCompleted is the condition DrainCompleted.
func drainCompleted(o nodestate.State, d Decision) metav1.Condition {
	r := o.Node
	switch {
	case r.Drained:
		return condition.True(string(r.DrainResult), r.DrainedMessage)
	case !r.Leaving():
		return condition.False(v1alpha1.ReasonNoDrainRequested, "The member is wanted.")
	case d.Step == MarkDrained:
		// The step itself writes the condition, after it has asked Nomad.
		return condition.False(v1alpha1.ReasonDraining, "Checking that nothing is left.")
	case !o.Nomad.Known:
		if was, ok := lastWritten(o, v1alpha1.NodeDrainCompleted); ok && o.Node.WasLeaving() {
			return was
		}
		return drainNomadUnknownCondition(o)
	case HasOtherWork(o) && o.DrainRequested():
		return waitsForOther(o)
	default:
		return draining(o, d)
	}
}

// draining tells what a drain waits for.
func draining(o nodestate.State, d Decision) metav1.Condition {
	waits := d.Step == Wait
	switch {
	case o.Nomad.External != "":
		return idTaken(o)
	case waits && !o.Nomad.Registered:
		return absent(o)
	case undone(o):
		return drainUndone(o)
	case waits && o.SiblingsEligible && !o.Nomad.Draining:
		return condition.False(v1alpha1.ReasonDraining, "The other members that leave are made ineligible first.")
	case (waits || Rechecks(o)) && !o.Nomad.LiveKnown && o.Nomad.LiveProblem != "":
		return allocationsUnknown(o)
	case retained(o):
		return condition.False(v1alpha1.ReasonRetained,
			"The drain deadline has passed; onTimeout is Retain, so the VM stays until its allocations have ended: "+
				waiting(o)+". Stop their jobs, or set onTimeout to Force: "+forceIn(o.Node)+".")
	case o.Nomad.LiveKnown && len(waitedFor(o)) > 0:
		return condition.False(v1alpha1.ReasonWaitingForAllocations, "Waiting for "+waiting(o)+"."+atTheLatest(o))
	case o.Nomad.Draining:
		return condition.False(v1alpha1.ReasonDraining, "Checking that nothing is left.")
	default:
		return condition.False(v1alpha1.ReasonDraining, "Telling Nomad to drain the node.")
	}
}

// forceIn tells where to set onTimeout. A deleted member no longer follows its pool, which may be gone.
func forceIn(r nodestate.Node) string {
	if r.DeletedAt.IsZero() {
		return "in the pool, as spec.scaleIn.drain.onTimeout"
	}
	return patch(r, `{"spec":{"scaleIn":{"drain":{"onTimeout":"Force"}}}}`)
}

// absent tells what becomes of a member whose node Nomad doesn't know.
func absent(o nodestate.State) metav1.Condition {
	if retainedAbsent(o) {
		return condition.False(v1alpha1.ReasonNodeDown,
			"Nomad doesn't know the node although its guest runs. onTimeout is Retain, "+
				"so the member's VM stays until the node is back and empty, or its guest is gone: "+
				"if nothing runs on it, set onTimeout to Force: "+forceIn(o.Node)+".")
	}
	return condition.False(v1alpha1.ReasonNodeDown,
		"Nomad doesn't know the node although its guest runs; "+
			"it is waited for until the drain deadline, because a client that lives registers again.")
}

// atTheLatest tells when a member goes whose deadline has passed.
func atTheLatest(o nodestate.State) string {
	if o.Node.Drain == nil || !pastDeadline(o) || o.Node.DrainOnTimeout() == v1alpha1.DrainRetain {
		return ""
	}
	if Overruns(o) || mustChange(o) {
		return " The drain deadline has passed and onTimeout is Force: Nomad is asked to stop them, and then they have the " +
			"time for that which their jobs were promised."
	}
	return " The drain deadline has passed and onTimeout is Force: " +
		"they have the time to stop that their jobs were promised, and the member goes at " + stamp(latestForceEnd(o)) +
		" at the latest."
}

// retained reports whether a drain continues after its deadline.
func retained(o nodestate.State) bool {
	r := o.Node
	return r.Drain != nil && r.Policy.OnTimeout == v1alpha1.DrainRetain && pastDeadline(o)
}

// allocationsUnknown tells what becomes of a drain whose allocations can't be listed.
func allocationsUnknown(o nodestate.State) metav1.Condition {
	ends := "; at the drain deadline Nomad stops what is left, and the member goes."
	if o.Node.Policy.OnTimeout == v1alpha1.DrainRetain {
		ends = "; onTimeout is Retain, so that may take as long as it will. Only Force ends it at the drain deadline."
	}
	return condition.False(v1alpha1.ReasonNomadUnknown,
		"Held until Nomad lists allocations again"+ends+" What it answers: "+o.Nomad.LiveProblem)
}

func waiting(o nodestate.State) string {
	if b := Blocking(o, 3); len(b) > 0 {
		return strings.Join(b, "; ")
	}
	return "nothing"
}

// waitsForNomad tells why a drained member's removal makes no progress, or why its VM stays.
func waitsForNomad(o nodestate.State) metav1.Condition {
	const kept = "Drained, but its VM stays until Nomad has been asked if the node has got work since. "
	switch was, ok := lastWritten(o, v1alpha1.NodeReady); {
	case ok && o.Node.Phase == v1alpha1.NodePhaseDrained:
		return was
	case o.Nomad.NotAsked:
		return condition.False(v1alpha1.ReasonRemoving, "The member is being removed.")
	case purgeNomadUnknown(o):
		return condition.False(v1alpha1.ReasonNomadUnknown,
			"The VM is gone, and the member's node is to be removed from Nomad, which can't be asked. "+
				"Without that the member goes at "+stamp(purgeTimeoutAt(o))+" (the controller's --purge-timeout). "+
				"To end that sooner, which leaves the node to Nomad's own garbage collection: "+
				patch(o.Node, `{"spec":{"scaleIn":{"purge":false}}}`)+" What is wrong: "+o.Nomad.Why+connectionOf)
	case deletionRequested(o):
		return condition.False(v1alpha1.ReasonNomadUnknown,
			kept+"Its deletion was asked for, so it goes all the same at "+stamp(purgeTimeoutAt(o))+
				" (the controller's --purge-timeout). Nomad can't be asked: "+o.Nomad.Why+connectionOf)
	default:
		return condition.False(v1alpha1.ReasonNomadUnknown,
			kept+"That may take as long as it will, because nobody asked for its deletion. "+
				"Should Nomad be gone for good, delete the NomadNodePool, or annotate the VM "+
				v1alpha1.AllowDeleteAnnotation+" and delete it, if nothing runs on it. Nomad can't be asked: "+o.Nomad.Why)
	}
}

// ready is the condition Ready.
func ready(o nodestate.State, d Decision, c map[string]metav1.Condition) metav1.Condition {
	switch {
	case vmNeedsNomad(o) || purgeNomadUnknown(o):
		return waitsForNomad(o)
	case o.Node.Drained:
		return condition.False(v1alpha1.ReasonRemoving, "The member is being removed.")
	case o.Node.Leaving():
		return condition.False(v1alpha1.ReasonDraining, "The member is leaving: "+leavesBecause(o.Node)+".")
	case d.Step == RequestDrain: // it couldn't be requested just now
		return condition.False(v1alpha1.ReasonDraining, "The member is leaving: "+Because(d.Reason)+".")
	default:
		return wantedReady(o, c)
	}
}

// ineligible tells why a node that is up takes no work.
func ineligible(o nodestate.State) metav1.Condition {
	if cancelPending(o) {
		return condition.False(v1alpha1.ReasonCancelingDrain,
			"The member stays: its drain request was canceled, and its drain is being ended in Nomad.")
	}
	return condition.False(v1alpha1.ReasonIneligible,
		"The Nomad node is ineligible or draining by somebody else's order; "+
			"make it eligible (nomad node eligibility -enable) or delete this NomadNode.")
}

// misplaced tells of a client that isn't where the member was told to register.
func misplaced(o nodestate.State) metav1.Condition {
	then := thenReplaced(o)
	if !o.Node.Joined {
		then = " If it isn't where it should be within health.joinTimeout the member is replaced."
	}
	return condition.False(v1alpha1.ReasonMisplaced,
		"The guest has registered in Nomad's "+o.Nomad.Misplaced+" as the pool asks, so it doesn't count. Look for what "+
			"changes Nomad's configuration in the guest (/etc/nomad.d), and set client_introduction.enforcement to \"strict\" "+
			"in Nomad's servers, so that nobody can."+then)
}

// nodeDown tells why a node that had joined is down. If somebody halted its VM, that is the reason.
func nodeDown(o nodestate.State, vm metav1.Condition) metav1.Condition {
	if o.VM.Owned && o.VM.Halted {
		return condition.False(vm.Reason, vm.Message)
	}
	return condition.False(v1alpha1.ReasonNodeDown,
		fmt.Sprintf("The Nomad node is %s. Look at its VM's console in Harvester (nomad.service), "+
			"at its host, and at the network between it and Nomad's servers.", o.Nomad.Status)+ifItLasts)
}

// wantedReady is the condition Ready of a member that doesn't leave.
func wantedReady(o nodestate.State, c map[string]metav1.Condition) metav1.Condition {
	if was, ok := lastWritten(o, v1alpha1.NodeReady); ok && !o.Node.WasLeaving() {
		return was
	}
	switch {
	case !o.Nomad.Known && o.Node.Joined:
		return condition.Unknown(v1alpha1.ReasonNomadUnknown, o.Nomad.Why)
	case o.Nomad.Known && o.Nomad.Ready():
		return condition.True(v1alpha1.ReasonNodeReady, "The Nomad node is ready and eligible.")
	case o.Nomad.Registered && o.Nomad.Status != "ready" && o.Node.Joined:
		return nodeDown(o, c[v1alpha1.NodeVMReady])
	case o.Nomad.Misplaced != "":
		return misplaced(o)
	case o.Nomad.Registered && o.Nomad.Status == "ready":
		return ineligible(o)
	case c[v1alpha1.NodeVMReady].Status != "True":
		v := c[v1alpha1.NodeVMReady]
		return condition.False(v.Reason, v.Message)
	case onItsWay(o):
		return condition.False(v1alpha1.ReasonJoining, fmt.Sprintf("The Nomad node is %s.", o.Nomad.Status))
	default:
		v := c[v1alpha1.NodeJoined]
		return condition.False(v.Reason, v.Message)
	}
}
