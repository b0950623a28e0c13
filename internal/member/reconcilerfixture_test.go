package member_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// do takes a step, based on what was observed at a version of the NomadNode.
func (w *environment) do(d member.Decision, version int) {
	w.log = append(w.log, string(d.Step))
	switch d.Step {
	case member.RequestDrain,
		member.RecordCancel,
		member.ClearDrainRequest,
		member.ExtendDrain,
		member.ResendDrain,
		member.MarkDrained,
		member.DeleteNomadNode,
		member.Release:
		if version == w.version {
			w.version++
			w.write(d)
		}
	case member.CreateSecret:
		w.is.Secret, w.is.HasIntroductionToken = true, true
	case member.RemoveIntroduction:
		w.is.HasIntroductionToken = false
	case member.CreateVM:
		w.createVM()
	case member.ListClaims:
		w.is.VM.RemovalListed = w.is.VM.Exists
	case member.DeleteVM:
		w.deleteVM()
	case member.HaltVM:
		w.is.VM.Halted = true
	case member.DeleteClaims:
		for i := range w.is.Claims {
			w.is.Claims[i].Deleting = true
		}
	case member.DeleteSecret:
		w.is.Secret = false
	default:
		if !w.is.Now.Before(w.outage) && w.is.Nomad.Registered {
			w.ask(d)
		}
	}
}

// write changes the NomadNode.
func (w *environment) write(d member.Decision) {
	r := &w.is.Node
	switch d.Step {
	case member.RequestDrain:
		w.requestDrain(d.Reason)
	case member.RecordCancel:
		canceledAgo(0)(&w.is)
	case member.ClearDrainRequest:
		r.Drain = nil
	case member.ExtendDrain:
		if w.is.Nomad.DrainID == r.Drain.ID {
			w.failf("the deadline of a drain that was sent moves")
		}
		in := r.Drain.DeepCopy()
		in.DeadlineTime = metav1.NewTime(member.NewDeadline(w.is))
		r.Drain = in
	case member.ResendDrain:
		r.Resent = r.Drain.ID
		if w.resends[r.Drain.ID]++; w.resends[r.Drain.ID] > 1 {
			w.failf("the drain is sent a third time")
		}
		w.sendDrain()
	case member.MarkDrained:
		n := w.is.Nomad
		if !d.Unchecked && (w.is.Now.Before(w.outage) || n.Registered && (n.Eligible || len(w.waitedFor()) > 0)) {
			return
		}
		if n.Draining && w.forceAt.IsZero() && d.Drained.Result == v1alpha1.DrainDeadlinePassed &&
			!w.is.Now.Before(w.outage) {
			w.failf("the guest is to be stopped under tasks that Nomad was never asked to stop")
		}
		r.Drained, r.DrainedAt, r.DrainResult, r.DrainedMessage = true, w.is.Now, d.Drained.Result, d.Drained.Message
	case member.DeleteNomadNode:
		r.DeletedAt = w.is.Now
	case member.Release:
		w.released, w.late = true, d.Late
	}
}

func (w *environment) requestDrain(reason v1alpha1.DrainReason) {
	w.requests++
	deadline := w.is.Now.Add(w.is.Node.Policy.Deadline.Duration)
	if reason == v1alpha1.DrainVMDeleted {
		deadline = w.is.Now
	}
	w.is.Node.Drain = &v1alpha1.DrainRequest{
		ID: drainID + string(
			rune('a'+w.requests)), Reason: reason, RequestTime: metav1.NewTime(w.is.Now), DeadlineTime: metav1.NewTime(deadline),
	}
}

func (w *environment) waitedFor() []nodestate.Allocation {
	var out []nodestate.Allocation
	for _, a := range w.is.Nomad.Live {
		if !a.System || !w.is.Node.Policy.IgnoreSystemJobs {
			out = append(out, a)
		}
	}
	return out
}

func (w *environment) createVM() {
	if !w.is.VM.Exists {
		if !w.is.Secret {
			w.failf("a VM was made before its Secret")
		}
		w.is.VM, w.bootedFor, w.stoppedFor = nodestate.VM{Exists: true, Owned: true}, 0, 0
		w.is.Claims = []nodestate.Claim{{Name: "root"}, {Name: "data"}}
	}
}

func (w *environment) deleteVM() {
	r := w.is.Node
	away := w.is.Now.Before(w.outage)
	if n := w.is.Nomad; r.DrainResult != v1alpha1.DrainDeadlinePassed && !away && n.Registered &&
		(n.Eligible || len(w.waitedFor()) > 0) {
		w.is.Node.Drained = false // the reconciler asks Nomad once more
		return
	}
	over := r.Policy.OnTimeout != v1alpha1.DrainRetain && !w.is.Now.Before(r.Drain.DeadlineTime.Time)
	if n := len(w.waitedFor()); n > 0 && !over && !away {
		w.failf("the guest is stopped under %d live allocations", n)
	}
	if w.is.VM.Exists && !w.is.VM.Deleting {
		w.is.VM.Deleting, w.is.VM.DeletingSince = true, w.is.Now
	}
}

// ask takes a step that asks something of Nomad.
func (w *environment) ask(d member.Decision) {
	n := &w.is.Nomad
	switch d.Step {
	case member.Cordon:
		w.cordon()
	case member.Drain:
		if id := w.is.Node.Drain; id != nil && n.DrainID == id.ID &&
			(n.Draining && w.asSent() ||
				!n.Draining && n.DrainCompleted && !n.Eligible &&
					(!n.DrainIgnoreSystemJobs || w.is.Node.Policy.IgnoreSystemJobs)) {
			return // the client checks first
		}
		if w.recheck() {
			return
		}
		w.sendDrain()
	case member.CancelDrain:
		if n.Draining {
			n.Draining, n.DrainCompleted, w.forceAt = false, false, time.Time{}
		}
		n.Eligible = n.Eligible || w.is.Node.Cordoned()
	case member.UndoDrain:
		n.Eligible = n.Eligible || w.is.Node.CordonedFor == n.DrainID
		n.Draining, n.DrainCompleted, w.forceAt = false, false, time.Time{}
	case member.Purge:
		if w.is.Instance.Exists {
			w.failf("purged under a guest that may run")
		}
		*n = nodestate.Nomad{Known: true}
	}
}

// cordon records the request for which it makes the node ineligible.
func (w *environment) cordon() {
	if in := w.is.Node.Drain; in != nil && w.is.Nomad.Eligible {
		w.is.Node.CordonedFor = in.ID
	}
	w.is.Nomad.Eligible = false
}

// recheck cancels the request if it holds only for an empty member. A second process that acts on the request as it was
// before does the same, and then finds that its write is refused.
func (w *environment) recheck() (canceled bool) {
	if w.is.Node.Drain == nil {
		return false
	}
	asRequested := w.is
	in := asRequested.Node.Drain.DeepCopy()
	in.Canceled = false
	asRequested.Node.Drain = in
	if _, busy := member.RunningAllocation(w.is.Nomad.Live, in.OnlyIf); !busy || !member.Rechecks(asRequested) {
		return false
	}
	if !w.is.Node.Drain.Canceled {
		canceledAgo(0)(&w.is)
		w.version++
	}
	return true
}

// asSent is true while the drain policy is the one that the drain was sent with.
func (w *environment) asSent() bool {
	return w.is.Nomad.DrainOnTimeout == w.is.Node.DrainOnTimeout() &&
		w.is.Nomad.DrainIgnoreSystemJobs == w.is.Node.Policy.IgnoreSystemJobs
}

// sendDrain is Nomad's drain request, which sets its deadline anew.
func (w *environment) sendDrain() {
	n, in := &w.is.Nomad, w.is.Node.Drain
	if in != nil && in.OnlyIf == v1alpha1.Empty && len(n.Live) > 0 && w.is.Node.DeletedAt.IsZero() &&
		n.Status == "ready" &&
		n.DrainID != in.ID {
		w.failf("%d allocations are drained of a member that was to leave only if it is empty", len(n.Live))
	}
	if in == nil || !n.Registered || w.is.Now.Before(w.outage) {
		return
	}
	deadline, onTimeout := time.Time{}, w.is.Node.DrainOnTimeout()
	if onTimeout == v1alpha1.DrainForce {
		deadline = in.DeadlineTime.Time
		if deadline.Before(w.is.Now) {
			deadline = w.is.Now
		}
	}
	if n.Draining && n.DrainID == in.ID && n.DrainOnTimeout == onTimeout && deadline.After(w.forceAt) {
		w.failf("Nomad's deadline was moved from %s to %s", w.forceAt, deadline)
	}
	if n.Draining {
		w.stalls = false // Nomad checks all of the node's allocations again
	} else {
		n.DrainStarted = w.is.Now
	}
	w.cordon()
	n.Draining, n.DrainCompleted, n.DrainID, w.forceAt = true, false, in.ID, deadline
	n.DrainUpdated, n.DrainOnTimeout, n.DrainIgnoreSystemJobs = w.is.Now, onTimeout, w.is.Node.Policy.IgnoreSystemJobs
}
