package member

import (
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// overrunAfter is how long after the deadline of a drain Nomad may show that it still runs: it acts up to 5 s late.
const overrunAfter = 10 * time.Second

// Overruns is true for a drain that runs on after its deadline, or that has ended and has left something running.
// Somebody may have changed it in Nomad's UI, which sets another deadline, or leaves system jobs running, and leaves it
// marked as ours; or the deadline was brought forward, or Nomad was away when it came. Nomad is asked to stop at once
// what is left. That has its time to stop from then on.
func Overruns(o nodestate.State) bool {
	return runsOn(o) && untilOverrun(o) <= 0 && mayHaveLeft(o)
}

// runsOn is true if Nomad still shows the forced drain as running, or has left something running by it, and may yet be
// asked to stop at the deadline what is left. It can't reach a node that is down.
func runsOn(o nodestate.State) bool {
	return o.Node.Policy.OnTimeout != v1alpha1.DrainRetain && o.Nomad.DrainID == o.Node.Drain.ID &&
		(o.Nomad.Draining || leavesRunning(o)) && o.Nomad.Status != "down" &&
		!stopsAtOnce(o) && mayAskToStop(o) && o.Node.ForcedTime.Before(o.Node.Drain.DeadlineTime.Time)
}

// LeavesRunning is true for a drain that overruns because it has ended and has left something running.
func LeavesRunning(o nodestate.State) bool { return Overruns(o) && leavesRunning(o) }

// leavesRunning is true if Nomad calls the drain complete and hasn't asked something to stop that is waited for.
func leavesRunning(o nodestate.State) bool {
	return o.Nomad.DrainCompleted && o.Nomad.LiveKnown &&
		slices.ContainsFunc(waitedFor(o), func(a nodestate.Allocation) bool { return a.KeptRunning })
}

// untilOverrun is how much longer a drain that runs on may be about to end by itself.
func untilOverrun(o nodestate.State) time.Duration {
	if !runsOn(o) {
		return 0
	}
	return o.Node.Drain.DeadlineTime.Add(overrunAfter).Sub(o.Now)
}

// stopsAtOnce is true if Nomad has accepted, since the deadline, that it stops what is left.
func stopsAtOnce(o nodestate.State) bool {
	accepted := o.Stop.Accepted
	return !accepted.IsZero() && !accepted.Before(o.Node.Drain.DeadlineTime.Time)
}

// mayAskToStop is true until Nomad has refused for ForceGrace to stop what is left. Then the member goes all the same.
// What was refused before Nomad was away doesn't count, but for MaxGrace in all.
func mayAskToStop(o nodestate.State) bool {
	deadline, since := o.Node.Drain.DeadlineTime.Time, o.Stop.Refused
	if o.NomadRecovered.After(since) {
		since = o.NomadRecovered
	}
	switch {
	case o.Stop.Asked.Before(deadline):
		return true
	case !o.Now.Before(o.Stop.Asked.Add(MaxGrace)):
		return false
	default:
		return o.Stop.Refused.Before(deadline) || o.Now.Before(since.Add(ForceGrace))
	}
}

// mayHaveLeft is true unless it is known that nothing is left that the drain waits for.
func mayHaveLeft(o nodestate.State) bool { return !o.Nomad.LiveKnown || len(waitedFor(o)) > 0 }
