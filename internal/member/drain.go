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
	// siblingPatience bounds how long a drain waits for the members that leave with it to become ineligible, which
	// keeps allocations from moving from victim to victim.
	siblingPatience = 10 * time.Second
	// siblingPoll is how often they are looked at meanwhile: a change of one's node wakes that one alone.
	siblingPoll = time.Second
	// ForceGrace is how long after its deadline a forced drain may take to stop the tasks: Nomad acts up to 5 s late
	// (Nomad: nomad/drainer NodeDeadlineCoalesceWindow) and a client gives tasks up to max_kill_timeout, 30 s by default.
	// Jobs may have been promised more: then they get that.
	ForceGrace = 40 * time.Second
	// MostGrace bounds what they get all the same: a job's author mustn't hold a member, and the deletion of its pool,
	// for ever.
	MostGrace = 30 * time.Minute
	// stopMargin is for what Nomad and its client need on top of what a job was promised.
	stopMargin = 10 * time.Second
	// mostSkew is how far ahead another clock may be, that of Nomad's servers or of another controller. Times later than
	// that mean nothing.
	mostSkew = time.Minute
	// stallPatience is how long a drain may stay open after the last allocation has ended that isn't a system job's,
	// before it is sent again. Nomad's drainer can miss the end of an allocation when several nodes drain at once.
	stallPatience = 5 * time.Second
)

// maxCut is how many of the allocations that are cut off are named.
const maxCut = 5

// drain leads a member with an intent to Drained.
func drain(o nodestate.State) Decision {
	switch {
	case !o.Instance.Exists && (!o.VM.Exists || !o.VM.Ours || o.VM.Deleting):
		return markDrained(true, goneResult(o), "No guest runs: the VM is gone or was never made.")
	case !o.Nomad.Known:
		return drainBlind(o)
	case o.Nomad.Foreign != "":
		return drainNobody(o)
	case !o.Nomad.Registered:
		return drainAbsent(o)
	case o.Nomad.Eligible:
		return cordon(o)
	}
	if left := o.Node.Drain.RequestTime.Add(siblingPatience).Sub(o.Now); o.SiblingsEligible && left > 0 &&
		!o.Nomad.Draining {
		return Decision{Step: Wait, Wake: min(left, siblingPoll)}
	}
	if !drainSent(o) || mustForce(o) || changedMind(o) {
		return Decision{Step: Drain}
	}
	return await(o)
}

// drainAbsent handles a member whose node Nomad doesn't know. What runs in a guest that had joined is retained all
// the same, if it is to be: Nomad may have forgotten the node, or be another one.
func drainAbsent(o nodestate.State) Decision {
	if retainedAbsent(o) {
		return Decision{Step: Wait}
	}
	if left := missing(o); left > 0 {
		return Decision{Step: Wait, Wake: left}
	}
	return markDrained(false, absentResult(o), "Nomad has no node of this ID, so there is nothing to drain.")
}

// cordon makes the node ineligible before it is drained. A node that somebody made eligible after it was drained may
// have new work, so it is drained anew, which makes it ineligible as well.
func cordon(o nodestate.State) Decision {
	if !o.Nomad.Draining && o.Nomad.DrainCompleted && o.Nomad.DrainID == o.Node.Drain.ID {
		return Decision{Step: Drain}
	}
	return Decision{Step: Cordon}
}

// missing is how much longer a node is waited for that had joined and that Nomad doesn't know, while its guest runs. A
// client that lives registers again: Nomad may have been restored from a snapshot, or be another cluster than before.
func missing(o nodestate.State) time.Duration {
	if !o.Node.Joined || !o.Instance.Exists {
		return 0
	}
	return untilGivenUp(o)
}

func retainedAbsent(o nodestate.State) bool {
	return o.Node.DrainOnTimeout() == v1alpha1.DrainRetain && o.Node.Joined && o.Instance.Exists
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

// drainBlind handles a member whose Nomad can't be asked. Unknown is not down: it waits. Only a deletion that
// somebody asked for ends all the same, when its deadline has passed, because a Nomad that is gone for good mustn't
// wedge it. One that merely hasn't been asked yet may answer in a moment, however long ago the deadline was.
func drainBlind(o nodestate.State) Decision {
	if o.Nomad.NotAsked || o.Node.DeletedAt.IsZero() || o.Node.Policy.OnTimeout == v1alpha1.DrainRetain {
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

// drainSent is true when Nomad has this drain already, running or done, or when somebody else's drain is running, which
// serves as well: to send another would move its deadline. One of ours that was canceled in Nomad is neither.
func drainSent(o nodestate.State) bool {
	return o.Nomad.Draining || o.Nomad.DrainCompleted && o.Nomad.DrainID == o.Node.Drain.ID
}

// mustForce is true when the deadline has passed and the drain that is running isn't ours, so that Nomad doesn't know
// of the deadline. Allocations that can't be listed may be there.
func mustForce(o nodestate.State) bool {
	return o.Node.Policy.OnTimeout != v1alpha1.DrainRetain && pastDeadline(o) &&
		o.Nomad.DrainID != o.Node.Drain.ID && (!o.Nomad.LiveKnown || len(waitedFor(o)) > 0)
}

// await waits for the last allocation. What Nomad says of the drain itself doesn't count: it calls drains complete
// whose allocations still run, and keeps drains open whose allocations have all ended.
func await(o nodestate.State) Decision {
	if !o.Nomad.LiveKnown {
		return awaitUnread(o)
	}
	waited := waitedFor(o)
	if len(waited) == 0 {
		return markDrained(false, v1alpha1.DrainEmpty, "No allocation is left on the Nomad node.")
	}
	if o.Node.Policy.OnTimeout == v1alpha1.DrainRetain {
		return kickOr(o, Decision{Step: Wait, Wake: positive(o.Node.Drain.DeadlineTime.Sub(o.Now))})
	}
	end := forceEnd(o)
	if !o.Now.Before(end) {
		return markDrained(true, v1alpha1.DrainDeadlinePassed,
			"The drain deadline has passed and onTimeout is Force. Cut off: "+strings.Join(Blocking(o, maxCut), ", ")+".")
	}
	return kickOr(o, Decision{Step: Wait, Wake: untilAsked(o, end.Sub(o.Now))})
}

// untilAsked is how long to wait for the end of a drain: not so long that nobody asks what its tasks were promised.
func untilAsked(o nodestate.State, left time.Duration) time.Duration {
	switch {
	case o.Nomad.StopTime != nil || o.Node.StopTime != nil:
		return left
	case !pastDeadline(o):
		return min(left, o.Node.Drain.DeadlineTime.Sub(o.Now))
	default:
		return min(left, problemRetry)
	}
}

// awaitUnread waits for the allocations to be listed. Nomad knows of a forced drain's deadline and stops the tasks
// itself, so that the drain ends then even if nobody can see that it has.
func awaitUnread(o nodestate.State) Decision {
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
			"The drain deadline has passed and onTimeout is Force. If allocations were left can't be told, because Nomad doesn't list them.")
	}
	return Decision{Step: Wait, Wake: min(poll, left)}
}

// forceEnd is when a forced drain is over: after its deadline, or after it was last sent or ended if that was later,
// because a controller that was away, or was told late to force, must not cut the tasks' time to stop.
func forceEnd(o nodestate.State) time.Time {
	end := o.Node.Drain.DeadlineTime.Time
	for _, told := range []time.Time{o.Nomad.DrainStarted, o.Nomad.DrainUpdated} {
		if told.After(end) && told.Before(o.Now.Add(mostSkew)) {
			end = told
		}
	}
	return end.Add(stopGrace(o, MostGrace))
}

// untilGivenUp is how much longer a node is waited for of which Nomad tells nothing, or not as of the member's.
func untilGivenUp(o nodestate.State) time.Duration { return givenUpAt(o).Sub(o.Now) }

func givenUpAt(o nodestate.State) time.Time {
	return o.Node.Drain.DeadlineTime.Add(stopGrace(o, ForceGrace))
}

// stopGrace is how long after the deadline tasks get to stop, as their jobs were promised; unknown if nobody knows
// what they were. It is of no use to tasks whose node is down, or that have no machine: nobody tells them to stop.
func stopGrace(o nodestate.State, unknown time.Duration) time.Duration {
	stop := o.Nomad.StopTime
	if stop == nil {
		stop = o.Node.StopTime
	}
	switch {
	case !o.Instance.Exists, o.Nomad.Status == "down":
		return ForceGrace
	case stop == nil:
		return unknown
	default:
		return min(max(ForceGrace, *stop+stopMargin), MostGrace)
	}
}

// AsksStopTime is true while it is to be asked how long what is left on a node may take to stop: once as soon as the
// node is emptied, so that it is known if Nomad can't be asked later, and after the deadline, when it matters what is
// left by then.
func AsksStopTime(o nodestate.State) bool {
	switch r := o.Node; {
	case !o.Ordered() || r.Policy.OnTimeout == v1alpha1.DrainRetain || !o.Nomad.Registered || o.Nomad.Eligible:
		return false
	case o.Nomad.LiveKnown && len(o.Nomad.Live) == 0:
		return false
	default:
		return r.StopTime == nil || pastDeadline(o)
	}
}

func pastDeadline(o nodestate.State) bool { return !o.Now.Before(o.Node.Drain.DeadlineTime.Time) }

// kickOr sends a drain a second time, once, if only system allocations are left: Nomad stops them when everything else
// has ended, and can miss that moment.
func kickOr(o nodestate.State, otherwise Decision) Decision {
	since := onlySystemTime(o)
	if since.IsZero() {
		return otherwise
	}
	// Somebody else's drain is left alone until the deadline, and may have none of its own.
	ours := o.Nomad.DrainID == o.Node.Drain.ID || pastDeadline(o)
	if o.Node.Policy.IgnoreSystemJobs || !o.Nomad.Draining || !ours || o.Node.Resent == o.Node.Drain.ID {
		return otherwise
	}
	if left := since.Add(stallPatience).Sub(o.Now); left > 0 {
		return Decision{Step: Wait, Wake: left}
	}
	if Rechecks(o) {
		return Decision{Step: Drain} // somebody else's drain is taken over only if the order still holds
	}
	return Decision{Step: ResendDrain}
}

// onlySystemTime is since when nothing but allocations of system jobs has been seen on a node that drains; zero:
// there is something else, or nothing, or it doesn't drain. What can't be told stays as it was.
func onlySystemTime(o nodestate.State) time.Time {
	switch was := o.Node.OnlySystemTime; {
	case !o.Node.Emptying():
		return time.Time{}
	case !o.Nomad.LiveKnown:
		return was
	case !o.Nomad.Draining || len(o.Nomad.Live) == 0 || slices.ContainsFunc(o.Nomad.Live, func(a nodestate.Allocation) bool { return !a.System }):
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

// WaitedFor are those of a node's live allocations that a drain waits for.
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

func positive(d time.Duration) time.Duration {
	if d < 0 {
		return 0
	}
	return d
}

// Blocking names the allocations that a drain waits for, at most limit of them.
func Blocking(o nodestate.State, limit int) []string {
	var out []string
	for _, a := range waitedFor(o) {
		if len(out) == limit {
			return append(out, fmt.Sprintf("and %d more", len(waitedFor(o))-limit))
		}
		out = append(out, a.Name)
	}
	return out
}
