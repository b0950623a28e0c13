package member

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const (
	// siblingTimeout bounds how long a drain waits until the other leaving members are ineligible too. That keeps
	// allocations from moving from one leaving member to the next.
	siblingTimeout = 10 * time.Second
	// siblingPoll is how often they are checked meanwhile: a change of a sibling's node wakes only that sibling.
	siblingPoll = time.Second
	// stallTimeout is how long a drain may stay open after the last allocation has ended that isn't a system job's. Then
	// it is sent again. Nomad's drainer can miss the end of an allocation when several nodes drain at once.
	stallTimeout = 5 * time.Second
)

// maxCut is how many of the allocations that are cut off are named.
const maxCut = 5

// drain leads a member with a drain request to Drained.
func drain(o nodestate.State) Decision {
	switch {
	case !o.Instance.Exists && (!o.VM.Exists || !o.VM.Owned || o.VM.Deleting):
		return markDrained(true, goneResult(o), "No guest runs: the VM is gone or was never made.")
	case !o.Nomad.Known:
		return drainNomadUnknown(o)
	case o.Nomad.External != "":
		return drainExternal(o)
	case HasOtherWork(o):
		return drainOther(o)
	case !o.Nomad.Registered:
		return drainAbsent(o)
	case Rechecks(o) && pastDeadline(o) && undone(o):
		return Decision{Step: RecordCancel} // it can't be made sure that the member is empty
	case o.Nomad.Eligible:
		return cordon(o)
	default:
		return drainIneligible(o)
	}
}

// drainIneligible has the drain of a node sent, and then waits for its end.
func drainIneligible(o nodestate.State) Decision {
	if left := o.Node.Drain.RequestTime.Add(siblingTimeout).Sub(o.Now); o.SiblingsEligible && left > 0 &&
		!o.Nomad.Draining {
		return Decision{Step: Wait, Wake: min(left, siblingPoll)}
	}
	switch {
	case !drainSent(o):
		return send(o)
	case mustChange(o):
		return sendChange(o)
	case Overruns(o):
		return Decision{Step: Drain}
	}
	return await(o)
}

// drainAbsent handles a member whose node Nomad doesn't know. A member that had joined and whose policy is Retain keeps
// its guest even then: Nomad may have forgotten the node, or be another cluster.
func drainAbsent(o nodestate.State) Decision {
	if retainedAbsent(o) {
		return Decision{Step: Wait}
	}
	switch left := untilAbsentIsFinal(o); {
	case waitsForAbsent(o) && hadNoTime(o):
		return Decision{Step: ExtendDrain}
	case left > 0:
		return Decision{Step: Wait, Wake: left}
	}
	return markDrained(false, absentResult(o), "Nomad has no node of this ID, so there is nothing to drain.")
}

// cordon makes the node ineligible before it is drained. A node that somebody made eligible after its drain may have
// new work, so it is drained again; that makes it ineligible as well.
func cordon(o nodestate.State) Decision {
	reopened := drainSent(o) && !o.Nomad.Draining
	left := o.Cordon.RepeatIn(o.Now)
	switch {
	case reopened, cordonUndone(o) && !Rechecks(o):
		return send(o)
	case left > 0:
		return Decision{Step: Wait, Wake: left}
	default:
		return Decision{Step: Cordon}
	}
}

// untilAbsentIsFinal is how much longer a drain waits for a node that Nomad doesn't know.
func untilAbsentIsFinal(o nodestate.State) time.Duration {
	if !waitsForAbsent(o) {
		return 0
	}
	return untilGivenUp(o)
}

// waitsForAbsent is true for a member whose node Nomad doesn't know, if the node had joined and its guest runs: a
// client that lives registers again. Nomad may have been restored from a snapshot, or be another cluster than before,
// or have forgotten the node while its servers didn't hear of it.
func waitsForAbsent(o nodestate.State) bool { return o.Node.Joined && o.Instance.Exists }

func retainedAbsent(o nodestate.State) bool {
	return o.Node.DrainOnTimeout() == v1alpha1.DrainRetain && waitsForAbsent(o)
}

func goneResult(o nodestate.State) v1alpha1.DrainResult {
	if o.Node.Joined || o.Node.VMMade {
		return v1alpha1.DrainVMGone
	}
	return v1alpha1.DrainNeverJoined
}

func absentResult(o nodestate.State) v1alpha1.DrainResult {
	if o.Node.Joined {
		return v1alpha1.DrainEmpty
	}
	return v1alpha1.DrainNeverJoined
}

// drainNomadUnknown handles a member whose Nomad can't be asked. Unknown is not down: it waits. Only the drain of a
// member that somebody deleted ends anyway, once its deadline has passed, because a Nomad that is gone for good must
// not block that deletion. A Nomad that this process has not asked yet may answer in a moment, however old the deadline
// is.
func drainNomadUnknown(o nodestate.State) Decision {
	if o.Nomad.NotAsked || !deletedBySomebody(o) || o.Node.Policy.OnTimeout == v1alpha1.DrainRetain {
		return Decision{Step: Wait}
	}
	if left := untilGivenUp(o); left > 0 {
		return Decision{Step: Wait, Wake: left}
	}
	d := markDrained(true, v1alpha1.DrainDeadlinePassed,
		"The drain deadline has passed and Nomad can't be asked; the member was deleted, so it goes all the same.")
	d.Late = true
	return d
}

// drainExternal ends the drain of a member whose ID belongs to an external node in Nomad. The guest, whatever runs on
// it, has until the deadline.
func drainExternal(o nodestate.State) Decision {
	if !o.Instance.Exists {
		return markDrained(true, v1alpha1.DrainNeverJoined,
			"The Nomad node of this ID isn't the member's, and no guest of the member's runs.")
	}
	if o.Node.DrainOnTimeout() == v1alpha1.DrainRetain {
		return Decision{Step: Wait}
	}
	switch left := untilGivenUp(o); {
	case hadNoTime(o):
		return Decision{Step: ExtendDrain}
	case left > 0:
		return Decision{Step: Wait, Wake: left}
	}
	return markDrained(true, v1alpha1.DrainDeadlinePassed,
		"The drain deadline has passed. The Nomad node of this ID isn't the member's, so it was not drained.")
}

// drainSent is true when Nomad has this drain already, running or complete. A running drain of somebody else serves as
// well: another request would move its deadline. A drain of ours that was canceled in Nomad doesn't count.
func drainSent(o nodestate.State) bool {
	return o.Nomad.Draining || o.Nomad.DrainCompleted && o.Nomad.DrainID == o.Node.Drain.ID
}

// mustForce is true when the deadline has passed during somebody else's drain, because Nomad doesn't know our deadline
// then.
func mustForce(o nodestate.State) bool {
	return o.Node.Policy.OnTimeout != v1alpha1.DrainRetain && pastDeadline(o) &&
		o.Nomad.DrainID != o.Node.Drain.ID
}

// mustChange is true for a drain that must be sent anew, as it is to be, as long as something may be left: until Nomad
// has accepted to stop that, or has refused to for too long.
func mustChange(o nodestate.State) bool {
	return mayHaveLeft(o) && !stopsAtOnce(o) && mayAskToStop(o) && (mustForce(o) || policyChanged(o))
}

// sendChange has that drain sent. If Nomad has accepted it and shows another one, it is sent again after longer and
// longer pauses, and gets no more time.
func sendChange(o nodestate.State) Decision {
	if o.Drain.First.IsZero() {
		return sendFirst(o)
	}
	if wake := o.Drain.RepeatIn(o.Now); wake > 0 {
		return Decision{Step: Wait, Wake: wake}
	}
	return Decision{Step: Drain}
}

// policyChanged is true when the drain policy differs from what our drain told Nomad. Nomad must learn of it: a drain
// without a deadline leaves its tasks to be killed with the VM, and a drain with one stops what Retain should keep. A
// change to Retain is the only case that moves Nomad's deadline later, because a user asks for it. A complete drain
// that ignored system jobs left them running, so even then Nomad must learn not to ignore them any more.
func policyChanged(o nodestate.State) bool {
	n, ignore := o.Nomad, o.Node.Policy.IgnoreSystemJobs
	switch {
	case n.DrainID != o.Node.Drain.ID || n.DrainOnTimeout == "":
		return false
	case n.Draining:
		return n.DrainOnTimeout != o.Node.DrainOnTimeout() || n.DrainIgnoreSystemJobs != ignore
	default:
		return n.DrainCompleted && n.DrainIgnoreSystemJobs && !ignore
	}
}

// Rechecks is true for a member that is to leave only if it is empty, until a drain was sent for this request. Its
// node is ineligible now, so nothing can be placed on it any more: before the drain the controller asks Nomad what was
// placed since the pool chose the member. A deleted member leaves in any case, and so does one whose node is down; what
// runs on a node that is merely disconnected may run on.
func Rechecks(o nodestate.State) bool {
	in := o.Node.Drain
	return in != nil && !in.Canceled && in.OnlyIf != "" && o.Node.DeletedAt.IsZero() &&
		o.Nomad.Registered && o.Nomad.Status != "down" && o.Nomad.DrainID != in.ID
}

// RunningAllocation returns the first live allocation for which a drain request is canceled that holds only for an
// empty member.
func RunningAllocation(live []nodestate.Allocation, onlyIf v1alpha1.ScaleInStrategy) (nodestate.Allocation, bool) {
	for _, a := range live {
		if !a.System || onlyIf != v1alpha1.EmptyIgnoreSystem {
			return a, true
		}
	}
	return nodestate.Allocation{}, false
}

// await waits for the last allocation. Nomad's own status of the drain doesn't count: it reports drains as complete
// whose allocations still run, and keeps drains open whose allocations have all ended.
func await(o nodestate.State) Decision {
	if !o.Nomad.LiveKnown {
		return awaitAllocationsUnknown(o)
	}
	waited := waitedFor(o)
	if len(waited) == 0 {
		return markEmpty()
	}
	if o.Node.Policy.OnTimeout == v1alpha1.DrainRetain {
		return resendOr(o, Decision{Step: Wait, Wake: max(o.Node.Drain.DeadlineTime.Sub(o.Now), 0)})
	}
	end := forceEnd(o)
	if !o.Now.Before(end) {
		return markDrained(true, v1alpha1.DrainDeadlinePassed,
			"The drain deadline has passed and onTimeout is Force. Cut off: "+strings.Join(Blocking(o, maxCut), ", ")+".")
	}
	return resendOr(o, Decision{Step: Wait, Wake: untilNextCheck(o, end.Sub(o.Now))})
}

// untilNextCheck shortens the wait for the end of a drain. At the deadline it is written since when what is left has
// its time to stop, and how long that is counts from then. While that isn't known it is asked for again.
func untilNextCheck(o nodestate.State, left time.Duration) time.Duration {
	switch {
	case !pastDeadline(o):
		return min(left, o.Node.Drain.DeadlineTime.Sub(o.Now))
	case untilOverrun(o) > 0:
		return min(left, untilOverrun(o))
	case o.Nomad.StopTime == nil && o.Node.StopTime == nil:
		return min(left, problemRetry)
	default:
		return left
	}
}

// awaitAllocationsUnknown waits until Nomad lists the allocations. Nomad knows the deadline of a forced drain and stops
// the tasks by itself, so the drain ends then even if the list stays unavailable.
func awaitAllocationsUnknown(o nodestate.State) Decision {
	poll := time.Second
	if o.Nomad.LiveProblem != "" {
		poll = problemRetry
	}
	if o.Node.Policy.OnTimeout == v1alpha1.DrainRetain {
		return Decision{Step: Wait, Wake: poll}
	}
	left := forceEnd(o).Sub(o.Now)
	if left <= 0 {
		return markDrained(true, v1alpha1.DrainDeadlinePassed,
			"The drain deadline has passed and onTimeout is Force. "+
				"If allocations were left can't be told, because Nomad doesn't list them.")
	}
	return Decision{Step: Wait, Wake: min(poll, untilNextCheck(o, left))}
}

// resendOr sends a drain a second time, once, if only allocations of system jobs are left: Nomad stops them when
// everything else has ended, and can miss that moment.
func resendOr(o nodestate.State, otherwise Decision) Decision {
	since := onlySystemTime(o)
	if since.IsZero() {
		return otherwise
	}
	// Somebody else's drain stays as it is until the deadline. It may have no deadline of its own.
	mayResend := o.Nomad.DrainID == o.Node.Drain.ID || pastDeadline(o)
	if !mayResend || o.Node.Resent == o.Node.Drain.ID {
		return otherwise
	}
	if left := since.Add(stallTimeout).Sub(o.Now); left > 0 {
		return Decision{Step: Wait, Wake: left}
	}
	if Rechecks(o) {
		return Decision{Step: Drain} // somebody else's drain is taken over only if the request still holds
	}
	return Decision{Step: ResendDrain}
}

// onlySystemTime is since when only allocations of system jobs have been left on a draining node; zero: there are
// others, or none, or the node doesn't drain. While the allocations are unknown it stays as it was.
func onlySystemTime(o nodestate.State) time.Time {
	notSystem := func(a nodestate.Allocation) bool { return !a.System }
	switch was := o.Node.OnlySystemTime; {
	case !o.Node.Emptying():
		return time.Time{}
	case !o.Nomad.LiveKnown:
		return was
	case !o.Nomad.Draining || len(o.Nomad.Live) == 0 || slices.ContainsFunc(o.Nomad.Live, notSystem):
		return time.Time{}
	case was.IsZero():
		return o.Now.Truncate(time.Second)
	default:
		return was
	}
}

func waitedFor(o nodestate.State) []nodestate.Allocation {
	return WaitedFor(o.Nomad.Live, o.Node.Policy)
}

// WaitedFor returns those of a node's live allocations that a drain waits for.
func WaitedFor(live []nodestate.Allocation, p v1alpha1.DrainPolicy) []nodestate.Allocation {
	if !p.IgnoreSystemJobs {
		return live
	}
	var out []nodestate.Allocation
	for _, a := range live {
		if !a.System {
			out = append(out, a)
		}
	}
	return out
}

func markDrained(unchecked bool, result v1alpha1.DrainResult, message string) Decision {
	return Decision{Step: MarkDrained, Unchecked: unchecked, Drained: Drained{result, message}}
}

func markEmpty() Decision {
	return markDrained(false, v1alpha1.DrainEmpty, "No allocation is left on the Nomad node.")
}

// Blocking names the allocations that a drain waits for, at most limit of them.
func Blocking(o nodestate.State, limit int) []string { return named(waitedFor(o), limit) }

// named names allocations, at most limit of them.
func named(allocations []nodestate.Allocation, limit int) []string {
	var out []string
	for _, a := range allocations {
		if len(out) == limit {
			return append(out, fmt.Sprintf("and %d more", len(allocations)-limit))
		}
		out = append(out, a.Name)
	}
	return out
}
