package nomad

import (
	"time"
)

// What is sent to Nomad follows from what its leader says of the node. It is decided here, without a request and
// without a clock, so that the simulator decides by the same code.

const (
	// noDeadline and forceNow are Nomad's deadlines for "never" and "now".
	noDeadline = 0
	forceNow   = -1 * time.Second
	// kickMargin is what a drain that is sent again takes off the deadline, for the way to the server: Nomad counts from
	// when it arrives.
	kickMargin = 2 * time.Second
)

// DrainToSend is the request to send for the node to drain as d asks; false: none, because Nomad has the drain so
// already, or the node is eligible and mustn't be. One that was sent under the intent for another end than it is to
// have is sent once more. Nomad sets the deadline anew with each request (Nomad: nomad/node_endpoint.go,
// UpdateDrain), so that a drain that is sent again and again never comes to its end.
//
// The node is as the leader has it, with its ForceDeadline.
func DrainToSend(n Node, d DrainRequest, now time.Time) (DrainRequest, bool) {
	if d.began(n) && d.servedBy(n) || d.OnlyIneligible && n.Eligible {
		return DrainRequest{}, false
	}
	if d.NoDeadline {
		return d, true
	}
	return d.within(n, now), true
}

// KickToSend is the request to send for Nomad to look at a drain anew that it has forgotten; false: none, because the
// node doesn't drain any more, or drains by somebody else's order while the intent's own time isn't over. It never
// ends later than the drain that it repeats.
//
// The node is as the leader has it, with its ForceDeadline.
func KickToSend(n Node, d DrainRequest, now time.Time) (DrainRequest, bool) {
	if !n.Draining || !d.began(n) && d.Remaining > 0 {
		return DrainRequest{}, false
	}
	return d.within(n, now), true
}

// began reports if the node drains under the intent, or did and was left ineligible, as Nomad leaves it.
func (d DrainRequest) began(n Node) bool {
	if n.LastDrain == nil || d.DrainID == "" || n.LastDrain.DrainID != d.DrainID {
		return false
	}
	return n.Draining || n.LastDrain.Status == DrainComplete && !n.Eligible
}

// servedBy is true when the node's drain, which is that of the request's intent, does what the request asks for. What
// has been drained already with system jobs is empty whatever is asked for now.
func (d DrainRequest) servedBy(n Node) bool {
	if !n.Draining {
		return d.IgnoreSystemJobs || !n.LastDrain.IgnoreSystemJobs
	}
	return n.LastDrain.OnTimeout == d.OnTimeout() && n.LastDrain.IgnoreSystemJobs == d.IgnoreSystemJobs
}

// within is the request with an end that isn't later than the one that the intent's drain has.
func (d DrainRequest) within(n Node, now time.Time) DrainRequest {
	if !d.began(n) || n.ForceDeadline.IsZero() {
		return d
	}
	left := n.ForceDeadline.Sub(now) - kickMargin
	if d.NoDeadline || left < d.Remaining {
		d.Remaining = left
	}
	d.NoDeadline = false
	return d
}

// OnTimeout is what the request has Nomad do when the time is over.
func (d DrainRequest) OnTimeout() TimeoutAction {
	if d.NoDeadline {
		return TimeoutRetain
	}
	return TimeoutForce
}

// Deadline is what Nomad calls the deadline: how long from when the request arrives. Zero: for as long as it takes;
// negative: now (Nomad: api.DrainSpec).
func (d DrainRequest) Deadline() time.Duration {
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

// The writes that end what was done for a drain.
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
