package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const (
	// ForceGrace is how long after its deadline a forced drain may take to stop the tasks: Nomad acts up to 5 s late
	// (Nomad: nomad/drainer NodeDeadlineCoalesceWindow) and a client gives tasks up to max_kill_timeout, 30 s by default.
	// Tasks whose jobs were promised more time get that.
	ForceGrace = 40 * time.Second
	// MaxGrace bounds that time: the author of a job must not block a member, and the deletion of its pool, for ever.
	MaxGrace = 30 * time.Minute
	// stopMargin is for what Nomad and its client need on top of what a job was promised.
	stopMargin = 10 * time.Second
	// mostSkew is how far ahead the clock of Nomad's servers or of another controller may be. Later times are ignored.
	mostSkew = time.Minute
)

func pastDeadline(o nodestate.State) bool { return !o.Now.Before(o.Node.Drain.DeadlineTime.Time) }

// forceEnd is when a forced drain is over, by what is known now.
func forceEnd(o nodestate.State) time.Time { return stopsSince(o).Add(stopGrace(o, MaxGrace)) }

// latestForceEnd is when it is over if it runs on until Nomad is asked to stop what is left.
func latestForceEnd(o nodestate.State) time.Time {
	end := forceEnd(o)
	if untilOverrun(o) > 0 {
		return end.Add(overrunAfter)
	}
	return end
}

// stopsSince is since when what is left after the deadline has its time to stop: since the deadline, or later if the
// drain was sent or ended later, because a controller that was away, or a late change to Force, must not shorten it.
// What was written of that first counts: a server that reports a later time at each poll, or somebody who cancels the
// drain again and again, must not move the end for ever.
func stopsSince(o nodestate.State) time.Time {
	end := o.Node.Drain.DeadlineTime.Time
	if first := o.Node.ForcedTime; !first.Before(end) {
		return first
	}
	for _, sent := range []time.Time{o.Nomad.DrainStarted, o.Nomad.DrainUpdated, o.Stop.Accepted} {
		if sent.After(end) && sent.Before(o.Now.Add(mostSkew)) {
			end = sent
		}
	}
	return end
}

// forcedTime is what is written of that, once for each deadline, as soon as Nomad shows the drain as it is to be. If
// onTimeout is Retain, or becomes so, nothing is stopped.
func forcedTime(o nodestate.State) time.Time {
	switch {
	case !o.DrainRequested(), o.Node.DrainOnTimeout() == v1alpha1.DrainRetain, !pastDeadline(o):
		return time.Time{}
	case !o.Nomad.Known, !o.Nomad.Registered, !drainSent(o), mustChange(o), runsOn(o):
		return o.Node.ForcedTime
	}
	since := stopsSince(o)
	if second := since.Truncate(time.Second); second.Before(since) { // the API server keeps whole seconds
		return second.Add(time.Second)
	}
	return since
}

// untilGivenUp is how much longer a drain waits for a node that Nomad doesn't report, or not as the member's.
func untilGivenUp(o nodestate.State) time.Duration { return givenUpAt(o).Sub(o.Now) }

// GivenUp is true for a member that leaves and goes although it isn't known what it has: the time that its drain had is
// over, and onTimeout is Force.
func GivenUp(o nodestate.State) bool {
	return o.Node.Drain != nil && o.Node.DrainOnTimeout() != v1alpha1.DrainRetain && untilGivenUp(o) <= 0
}

func givenUpAt(o nodestate.State) time.Time {
	return o.Node.Drain.DeadlineTime.Add(stopGrace(o, ForceGrace))
}

// stopGrace is how long after the deadline tasks get to stop, as their jobs were promised; unknown is the time if that
// isn't known. Tasks whose node is down, or that have no VM, get no more than ForceGrace: Nomad can't reach them
// to stop them.
func stopGrace(o nodestate.State, unknown time.Duration) time.Duration {
	stop := o.Nomad.StopTime
	if stop == nil {
		stop = o.Node.StopTime
	}
	switch {
	case !o.Instance.Exists, o.Nomad.Status == "down":
		return ForceGrace
	case stop == nil && o.Nomad.LiveKnown && len(o.Nomad.Live) == 0: // how long nothing takes to stop isn't asked
		return ForceGrace
	case stop == nil:
		return unknown
	default:
		return min(max(ForceGrace, *stop+stopMargin), MaxGrace)
	}
}

// AsksStopTime is true while the controller asks Nomad how long the allocations of a node may take to stop. It asks
// when the drain begins, so that the answer is there if Nomad can't be asked later, and again after the deadline, when
// only what is left by then matters.
func AsksStopTime(o nodestate.State) bool {
	switch r := o.Node; {
	case !o.DrainRequested() || r.Policy.OnTimeout == v1alpha1.DrainRetain || !o.Nomad.Registered ||
		o.Nomad.Eligible && o.Drain.First.IsZero():
		return false
	case o.Nomad.LiveKnown && len(o.Nomad.Live) == 0:
		return false
	default:
		return r.StopTime == nil || pastDeadline(o)
	}
}
