package nomad

import (
	"time"
)

// What to send to Nomad is decided from the state of the node at the leader. The decision is here, without a request
// and without a clock, so that the simulator uses the same code.

const (
	// noDeadline and forceNow are Nomad's deadlines for "never" and "now".
	noDeadline = 0
	forceNow   = -1 * time.Second
	// resendMargin is taken off the deadline of a drain that is sent again, for the time until it arrives: Nomad counts
	// from then.
	resendMargin = 2 * time.Second
)

// DrainToSend is what to send for the node to drain as d asks. It is false if nothing is to be sent: Nomad has this
// drain already, or the node is eligible and d.OnlyIneligible is set. A drain of the same DrainID is sent once more
// only if its options have changed. Nomad sets the deadline anew with each request (Nomad: nomad/node_endpoint.go,
// UpdateDrain), so a drain that was sent again and again would never end.
//
// The node is as the leader has it, with its ForceDeadline.
func DrainToSend(n Node, d DrainOptions, now time.Time) (DrainOptions, bool) {
	if d.startedOn(n) && d.satisfiedBy(n) || d.LeavesAlone(n) {
		return DrainOptions{}, false
	}
	if d.NoDeadline {
		return d, true
	}
	return d.keepDeadline(n, now), true
}

// LeavesAlone reports if no drain is to be sent to the node, because it is eligible and d is for an ineligible one.
func (d DrainOptions) LeavesAlone(n Node) bool { return d.OnlyIneligible && n.Eligible }

// DrainToResend is what to send for Nomad to continue a drain that it has lost track of. It is false if nothing is to
// be sent: the node doesn't drain any more, or somebody else drains it and the deadline of d hasn't passed. The drain
// that is sent never ends later than the one that it repeats.
//
// The node is as the leader has it, with its ForceDeadline.
func DrainToResend(n Node, d DrainOptions, now time.Time) (DrainOptions, bool) {
	if !n.Draining || !d.startedOn(n) && d.Remaining > 0 {
		return DrainOptions{}, false
	}
	return d.keepDeadline(n, now), true
}

// startedOn reports if the node drains with this DrainID, or has drained with it and is still ineligible, as Nomad
// leaves it.
func (d DrainOptions) startedOn(n Node) bool {
	if n.LastDrain == nil || d.DrainID == "" || n.LastDrain.DrainID != d.DrainID {
		return false
	}
	return n.Draining || n.LastDrain.Status == DrainComplete && !n.Eligible
}

// satisfiedBy reports if the node's drain, which has the same DrainID, has the options that d asks for. A node that was
// drained with its system jobs is empty, whatever d asks for. Once its time is over Nomad must have been asked to stop
// at once what is left: whoever changes a drain in Nomad's UI gives it another deadline, and what was noted with the
// drain stays (Nomad: nomad/state/state_store.go, updateNodeDrainImpl). Nomad ends a drain at its deadline, so that one
// which runs on has a later one, whatever the clocks say.
func (d DrainOptions) satisfiedBy(n Node) bool {
	switch {
	case !n.Draining:
		return !d.LeftRunning && (d.IgnoreSystemJobs || !n.LastDrain.IgnoreSystemJobs)
	case n.LastDrain.OnTimeout != d.OnTimeout(), n.LastDrain.IgnoreSystemJobs != d.IgnoreSystemJobs:
		return false
	default:
		return d.NoDeadline || d.Remaining > 0 || n.StopsNow
	}
}

// keepDeadline returns d with a deadline that isn't later than that of the node's drain, if that has the same DrainID.
func (d DrainOptions) keepDeadline(n Node, now time.Time) DrainOptions {
	switch {
	case !d.startedOn(n), n.ForceDeadline.IsZero() && !n.StopsNow:
		return d
	case n.StopsNow:
		d.Remaining, d.NoDeadline = 0, false
		return d
	}
	left := n.ForceDeadline.Sub(now) - resendMargin
	if d.NoDeadline || left < d.Remaining {
		d.Remaining = left
	}
	d.NoDeadline = false
	return d
}

// OnTimeout is what Nomad does when the deadline has passed.
func (d DrainOptions) OnTimeout() TimeoutAction {
	if d.NoDeadline {
		return TimeoutRetain
	}
	return TimeoutForce
}

// Deadline is Nomad's: the time from when the drain arrives. Zero: no deadline; negative: now (Nomad: api.DrainSpec).
func (d DrainOptions) Deadline() time.Duration {
	switch {
	case d.NoDeadline:
		return noDeadline
	case d.Remaining <= 0:
		return forceNow
	}
	return d.Remaining
}

// NodeWrite is one write to a node in Nomad.
type NodeWrite string

// The writes that cancel a drain and a cordon.
const (
	WriteCancelDrain NodeWrite = "cancel drain"
	WriteEligible    NodeWrite = "uncordon"
)

// CancelWrites are the writes that end the node's drain.
func CancelWrites(n Node) []NodeWrite {
	if n.Draining {
		return []NodeWrite{WriteCancelDrain}
	}
	return nil
}

// UncordonWrites are the writes that make the node eligible, in this order: Nomad refuses to make a draining node
// eligible. The end of the drain isn't left to do both, because older servers then leave blocked evaluations waiting
// (hashicorp/nomad#27488).
func UncordonWrites(n Node) []NodeWrite { return append(CancelWrites(n), WriteEligible) }
