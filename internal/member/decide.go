package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Next names the next step of a member.
func Next(o nodestate.State) Decision {
	o = believed(o)
	d := next(o)
	if d.Step == Wait && !o.Nomad.Known && (d.Wake == 0 || d.Wake > unknownRetry) {
		d.Wake = unknownRetry
	}
	return d
}

// believed is the state without what a Nomad that can't be asked has said: that may be old, or only a part of what
// there is.
func believed(o nodestate.State) nodestate.State {
	if !o.Nomad.Known {
		o.Nomad = nodestate.Nomad{Why: o.Nomad.Why, NotAsked: o.Nomad.NotAsked}
	}
	return o
}

func next(o nodestate.State) Decision {
	switch {
	case o.Node.Drained:
		return remove(o)
	case o.Node.Drain != nil && !o.Node.Drain.Canceled:
		return drain(o)
	// An intent that was taken back is over, though its rescue may be half done: what forces the member to leave after
	// all is an intent of its own, so that a drain that was canceled in Nomad isn't taken for one that was sent.
	case !o.Node.DeletedAt.IsZero():
		return Decision{Step: RequestDrain, Reason: v1alpha1.DrainDeleted}
	case lostVM(o):
		return Decision{Step: RequestDrain, Reason: v1alpha1.DrainVMDeleted}
	case evacuated(o):
		return Decision{Step: RequestDrain, Reason: v1alpha1.DrainEvacuation}
	case o.Node.Drain != nil:
		return rescue(o)
	case !o.VM.Exists:
		return provision(o)
	default:
		return live(o)
	}
}

// lostVM is true when somebody else deleted the member's VM. What is late is late: the member is handled as if it had
// been ordered to leave at once.
func lostVM(o nodestate.State) bool {
	return o.Node.VMMade && (!o.VM.Exists || !o.VM.Ours || o.VM.Deleting)
}

// Making is true for a step that makes something in Kubernetes.
func (s Step) Making() bool { return s == CreateSecret || s == RenewSecret || s == CreateVM }

// provision makes what a member consists of, in the order in which each part needs the one before.
func provision(o nodestate.State) Decision {
	switch {
	case o.Problem != nil, o.Nomad.Foreign != "":
		return Decision{Step: Wait, Wake: problemRetry}
	case !o.Node.ClaimsRecorded:
		return Decision{Step: RecordClaims}
	case !o.Secret:
		return Decision{Step: CreateSecret}
	case o.SecretStale:
		return Decision{Step: RenewSecret}
	default:
		return Decision{Step: CreateVM}
	}
}

// live waits for a member to join, and then for nothing.
func live(o nodestate.State) Decision {
	if !o.VM.Ours {
		return Decision{Step: Wait, Wake: problemRetry} // nobody watches a stranger's VM, which may go
	}
	if d, halted := startHalted(o); halted {
		return d
	}
	if _, lacks := lacksRoom(o); o.Node.Joined || lacks {
		d := Decision{Step: Wait}
		if o.VM.Halted {
			d.Wake = problemRetry // a VM whose labels somebody took off isn't watched, and may have been started since
		}
		return d
	}
	left := o.Node.JoinDeadline().Sub(o.Now)
	if room := o.Instance.UnschedulableSince.Add(roomPatience).Sub(o.Now); o.Instance.Unschedulable != "" && room > 0 {
		left = min(left, room)
	}
	return Decision{Step: Wait, Wake: positive(left)}
}

// problemRetry is how long to wait before something that the member needs and that has no watch is looked for again.
const problemRetry = 15 * time.Second

// unknownRetry is how long to wait before Nomad is looked for again. Mostly its watcher tells when it is back, but
// nobody watches the credentials Secret that a connection lacks, nor how old the last answer is.
const unknownRetry = 15 * time.Second

// requestsLand is how long after an order was taken back a request may still reach Nomad that a controller had sent
// for it, which perhaps leads no longer: as long as a cordon, a drain or a kick may take (internal/nomad:
// Options.RequestTimeout), and a bit.
const requestsLand = 12 * time.Second

// rescue takes an order to leave back. The intent stays until Nomad has done it, so that a crash in between can't
// leave a node ineligible without one, and until no request that was sent for it can make the node ineligible again,
// which nobody would undo then. A node that was ineligible before the order stays so: somebody means it.
func rescue(o nodestate.State) Decision {
	switch {
	case o.Node.Drain.CanceledTime == nil: // whoever took it back by hand, or as an earlier version of the controller
		return Decision{Step: RecordCancel}
	case !o.Nomad.Known:
		return Decision{Step: Wait}
	case rescuing(o):
		return Decision{Step: CancelDrain}
	}
	left := o.Node.Drain.CanceledTime.Add(requestsLand).Sub(o.Now)
	if o.Nomad.Registered && left > 0 && left <= requestsLand+mostSkew {
		return Decision{Step: Wait, Wake: min(left, requestsLand)}
	}
	return Decision{Step: ClearDrainRequest}
}

// rescuing is true while there is something to be undone in Nomad for an order to leave that was taken back. If
// somebody else drains the node, he means it.
func rescuing(o nodestate.State) bool {
	in := o.Node.Drain
	if in == nil || !in.Canceled || !o.Nomad.Registered {
		return false
	}
	if o.Nomad.Draining {
		return o.Nomad.DrainID == in.ID
	}
	return !o.Nomad.Eligible && o.Node.Cordoned()
}
