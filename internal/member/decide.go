package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const (
	// problemRetry is how soon the controller checks again something that the member needs and that has no watch.
	problemRetry = 15 * time.Second
	// unknownRetry is how soon the controller checks again if Nomad can be asked. Usually the watcher of Nomad wakes the
	// member, but nothing watches a credentials Secret that is missing, nor the age of Nomad's last answer.
	unknownRetry = 15 * time.Second
	// requestsLand is how long after a drain request was canceled Nomad may still get a call that was sent for it, perhaps
	// by a controller that no longer leads. A cordon or a drain takes up to internal/nomad's Options.RequestTimeout; the
	// rest is a margin.
	requestsLand = 12 * time.Second
)

// Next names the next step of a member.
func Next(o nodestate.State) Decision {
	o = believed(o)
	d := next(o)
	if d.Step != Wait {
		return d
	}
	if !o.Nomad.Known {
		d.Wake = nodestate.Sooner(d.Wake, unknownRetry)
	}
	d.Wake = nodestate.Sooner(d.Wake, untilIntroductionStale(o))
	return d
}

// believed drops what a Nomad that can't be asked reported earlier: it may be old, or only a part of the truth.
func believed(o nodestate.State) nodestate.State {
	if !o.Nomad.Known {
		o.Nomad = nodestate.Nomad{Why: o.Nomad.Why, Misconfigured: o.Nomad.Misconfigured, NotAsked: o.Nomad.NotAsked}
	}
	return o
}

func next(o nodestate.State) Decision {
	switch {
	case o.Node.Drained:
		return remove(o)
	case o.Node.Drain != nil && !o.Node.Drain.Canceled:
		return drain(o)
	// A canceled drain request is over, though the cancellation may be half done in Nomad. If the member must leave after
	// all, it gets a new request, so that a drain that was canceled in Nomad doesn't count as one that was sent.
	case !o.Node.DeletedAt.IsZero():
		return Decision{Step: RequestDrain, Reason: v1alpha1.DrainDeleted}
	case vmDeletedByOthers(o):
		return Decision{Step: RequestDrain, Reason: v1alpha1.DrainVMDeleted}
	case o.Node.Drain != nil: // an evacuation can wait for that
		return cancelDrain(o)
	case DrainsForNothing(o):
		return Decision{Step: UndoDrain}
	case evacuated(o):
		return Decision{Step: RequestDrain, Reason: v1alpha1.DrainEvacuation}
	case !o.VM.Exists:
		return provision(o)
	case secretLost(o):
		return Decision{Step: CreateSecret}
	case introductionStale(o):
		return Decision{Step: RenewIntroduction}
	default:
		return live(o)
	}
}

// vmDeletedByOthers is true when somebody else deleted the member's VM. It is too late to drain the member properly, so
// its drain request has a deadline that has passed.
func vmDeletedByOthers(o nodestate.State) bool {
	return o.Node.VMMade && (!o.VM.Exists || !o.VM.Owned || o.VM.Deleting)
}

// evacuated is true for a member whose host is being evacuated and that can't be migrated. With the evictionStrategy
// External KubeVirt refuses the eviction and waits until somebody else stops the VM (KubeVirt: pkg/virt-api/webhooks/
// validating-webhook/admitters/pod-eviction-admitter.go): the member is drained, removed and replaced elsewhere.
func evacuated(o nodestate.State) bool {
	return o.Instance.EvacuatedFrom != "" && o.VM.Owned
}

// Making is true for a step that makes something in Kubernetes.
func (s Step) Making() bool { return s == CreateSecret || s == RenewSecret || s == CreateVM }

// Continues is true for a step after which the next one can be chosen at once: what it has changed is all that has
// changed, the outcome says so, and all that matters then has been observed.
func (s Step) Continues(o nodestate.State) bool {
	switch s {
	case CreateSecret, RenewSecret, RenewIntroduction, RemoveIntroduction, ExtendDrain, ListClaims, Purge, DeleteSecret:
		return true
	case MarkDrained:
		return o.VM.Exists && o.VM.Owned // otherwise claims and Secret are next, which only a drained member needs
	default:
		return false
	}
}

// provision makes the parts of a member, each before the one that needs it.
func provision(o nodestate.State) Decision {
	switch {
	case o.Problem != nil, o.IDTaken():
		return Decision{Step: Wait, Wake: problemRetry}
	case !o.Secret:
		return Decision{Step: CreateSecret}
	case tokenStale(o):
		return Decision{Step: RenewSecret}
	default:
		return Decision{Step: CreateVM}
	}
}

// live waits for a member to join. A member that has joined needs its introduction token no more.
func live(o nodestate.State) Decision {
	if !o.VM.Owned {
		return Decision{Step: Wait, Wake: problemRetry} // no event tells when an external VM is deleted
	}
	if o.VM.RemovalTried {
		return Decision{Step: UnlistClaims}
	}
	if o.HasIntroductionToken && joins(o).Node.Joined {
		return Decision{Step: RemoveIntroduction}
	}
	if d, halted := startHalted(o); halted {
		return d
	}
	if _, lacks := lacksCapacity(o); o.Node.Joined || lacks {
		d := Decision{Step: Wait, Wake: untilStarted(o)}
		if o.VM.Halted {
			d.Wake = problemRetry // a VM whose labels were removed has no watch; somebody may have started it
		}
		return d
	}
	left := joinDeadline(o).Sub(o.Now)
	switch {
	case o.Nomad.Other != nil, o.Suspended: // no change of its allocations, or of its pool, wakes the member
		return Decision{Step: Wait, Wake: problemRetry}
	case o.Instance.Exists && left > otherNodeMargin:
		left -= otherNodeMargin
	case left <= 0 && ChecksForOther(o): // it may get work under another ID until its pool replaces it
		return Decision{Step: Wait, Wake: problemRetry}
	}
	scheduling := o.Instance.UnschedulableSince.Add(schedulingTimeout).Sub(o.Now)
	return Decision{Step: Wait, Wake: max(nodestate.Sooner(left, scheduling), 0)}
}

// cancelDrain undoes a canceled drain request. The request stays in spec until Nomad has ended the drain, so that a
// crash can't leave a node ineligible without a request that explains it. It also stays until no call that was sent
// for it can make the node ineligible again, because nothing would undo that. A node that was ineligible before the
// request stays ineligible: an operator wanted that.
func cancelDrain(o nodestate.State) Decision {
	switch {
	case o.Node.Drain.CanceledTime == nil: // canceled by hand
		return Decision{Step: RecordCancel}
	case !o.Nomad.Known:
		return Decision{Step: Wait}
	case cancelPending(o):
		return Decision{Step: CancelDrain}
	}
	left := o.Node.Drain.CanceledTime.Add(requestsLand).Sub(o.Now)
	if o.Nomad.Registered && left > 0 && left <= requestsLand+mostSkew {
		return Decision{Step: Wait, Wake: min(left, requestsLand)}
	}
	return Decision{Step: ClearDrainRequest}
}

// cancelPending is true while Nomad still has to undo something of a canceled drain request. A drain that somebody
// else started stays as it is.
func cancelPending(o nodestate.State) bool {
	in := o.Node.Drain
	if in == nil || !in.Canceled || !o.Nomad.Registered {
		return false
	}
	if o.Nomad.Draining {
		return o.Nomad.DrainID == in.ID
	}
	return !o.Nomad.Eligible && o.Node.Cordoned()
}
