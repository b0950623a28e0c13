package node

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// emitter emits the Events of members. Each Event has one function, so that its text is the same everywhere. An Event
// is emitted after the change that it reports.
type emitter struct{ kube.EventSink }

// emitChanges emits the Events and metrics of what the written status shows for the first time.
func (r *Reconciler) emitChanges(before, n *v1alpha1.NomadNode) {
	if before.Status.JoinedTime == nil && n.Status.JoinedTime != nil {
		r.Events.joined(n)
		if kube.HasMetrics(n.Namespace, n.Spec.PoolName) {
			joinSeconds.WithLabelValues(n.Namespace, n.Spec.PoolName).
				Observe(n.Status.JoinedTime.Sub(n.CreationTimestamp.Time).Seconds())
		}
	}
	// No field of the status shows that a member's time to join is over, or that its node is down. So these Events follow
	// the reasons of conditions.
	was, is := nodestate.Condition(before, v1alpha1.NodeJoined), nodestate.Condition(n, v1alpha1.NodeJoined)
	if is.Reason == v1alpha1.ReasonJoinTimeout && turnsInto(was, is) {
		r.Events.joinTimeout(n)
	}
	if is.Reason == v1alpha1.ReasonNameShared && was.Reason != is.Reason {
		r.Events.nameShared(n, is.Message)
	}
	was, is = nodestate.Condition(before, v1alpha1.NodeReady), nodestate.Condition(n, v1alpha1.NodeReady)
	wentDown := was.Reason == v1alpha1.ReasonNomadUnknown && before.Status.Nomad.Status != n.Status.Nomad.Status
	if turnsInto(was, is) || wentDown {
		switch is.Reason {
		case v1alpha1.ReasonNodeDown:
			r.Events.nodeDown(n, is.Message)
		case v1alpha1.ReasonNodeMetaChanged:
			r.Events.nodeMetaChanged(n, is.Message)
		}
	}
	if is.Reason == v1alpha1.ReasonMisplaced && was.Reason != is.Reason {
		r.Events.misplaced(n, is.Message)
	}
	if by := n.Status.BlockedBy; by != nodestate.Of(before).BlockedBy {
		r.emitBlocked(n, by, nodestate.Condition(n, v1alpha1.NodeVMReady).Message)
	}
}

// emitBlocked emits what has begun to block a member. The pool emits what is wrong with a template.
func (r *Reconciler) emitBlocked(n *v1alpha1.NomadNode, by v1alpha1.BlockedCause, message string) {
	switch by {
	case v1alpha1.BlockedByAdmission, v1alpha1.BlockedByQuota:
		r.Events.vmRefused(n, message)
	case v1alpha1.BlockedByCapacity:
		r.Events.lacksCapacity(n, message)
	case v1alpha1.BlockedByFailure:
		r.Events.vmNotMade(n, message)
	case v1alpha1.BlockedByHalt:
		r.Events.vmStopped(n, message)
	case v1alpha1.BlockedByOtherNode:
		r.Events.nodeIDDiffers(n, nodestate.Condition(n, v1alpha1.NodeJoined).Message)
	case v1alpha1.BlockedByRemoval:
		r.Events.deleteStuck(n, message)
	default: // what people read in the conditions
	}
}

// turnsInto is true if a condition has a new reason. A reason that comes after Nomad was unknown isn't new: usually it
// was the same before.
func turnsInto(was, is metav1.Condition) bool {
	return was.Reason != is.Reason && was.Reason != v1alpha1.ReasonNomadUnknown
}

func (e emitter) vmStarted(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "VMStarted", "StartVM",
		"Started VirtualMachine %s, which Harvester had halted for the namespace's quota", n.Name)
}

func (e emitter) vmStopped(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "VMStopped", "StopVM", "%s", message)
}

// deletionRefused emits, where Harvester's UI shows it, that a member's VM wasn't deleted, and how that is done.
func (e emitter) deletionRefused(vm *kubevirtv1.VirtualMachine, n *v1alpha1.NomadNode) {
	e.WarnOf(vm, n, "DeleteRefused", "DeleteVM",
		"The VM wasn't deleted: it is a member of NomadNodePool %s, and its Nomad allocations would have stopped. "+
			"To have it drained and then removed, delete its NomadNode: kubectl -n %s delete nomadnode %s",
		n.Spec.PoolName, n.Namespace, n.Name)
}

func (e emitter) nodeDown(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "NodeDown", "CheckHealth", "%s", message)
}

func (e emitter) nodeMetaChanged(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "NodeMetaChanged", "CheckHealth", "%s", message)
}

func (e emitter) nameShared(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "NameShared", "CheckHealth", "%s", message)
}

func (e emitter) misplaced(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "Misplaced", "CheckHealth", "%s", message)
}

func (e emitter) nodeIDDiffers(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "NodeIDDiffers", "Join", "%s", message)
}

func (e emitter) vmRefused(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "VMRefused", "CreateVM", "%s", message)
}

// lacksCapacity emits why a VM that was accepted doesn't run.
func (e emitter) lacksCapacity(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "VMUnschedulable", "StartVM", "%s", message)
}

func (e emitter) vmNotMade(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "CreateFailed", "CreateVM", "The VM could not be made. %s", message)
}

func (e emitter) joined(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "Joined", "Join", "Nomad node %s is ready", n.Spec.NodeID)
}

func (e emitter) joinTimeout(n *v1alpha1.NomadNode) {
	e.Warn(n, "JoinTimeout", "Join", "The guest didn't join Nomad within %s", n.Spec.Health.JoinTimeout.Duration)
	e.warnOfVM(n, "JoinTimeout", "Join",
		"The guest didn't join Nomad within %s; look at its console, and at kubectl -n %s describe nomadnode %s",
		n.Spec.Health.JoinTimeout.Duration, n.Namespace, n.Name)
}

// leaving emits a drain request. host is the host that the member runs on, as far as it is known.
func (e emitter) leaving(n *v1alpha1.NomadNode, reason v1alpha1.DrainReason, host string) {
	switch reason {
	case v1alpha1.DrainVMDeleted:
		e.Warn(n, "VMDeletedByOthers", "Drain",
			"Somebody deleted the VM without draining it; what is left of the member is cleaned up. "+
				"To remove a member, delete its NomadNode.")
	case v1alpha1.DrainEvacuation:
		const text = "Host %s is to be freed: draining, then removing the member, which is replaced elsewhere"
		e.Normal(n, nil, "Evacuating", "Drain", text, host)
		e.normalOfVM(n, "Evacuating", "Drain", text, host)
	default:
		e.Normal(n, nil, "DrainRequested", "Drain", "Draining, then removing the member: %s", member.Because(reason))
	}
}

func (e emitter) drainStarted(n *v1alpha1.NomadNode) {
	defer e.vmDrains(n)
	if nodestate.Of(n).DrainOnTimeout() == v1alpha1.DrainRetain {
		e.Normal(n, nil, "DrainStarted", "Drain",
			"Draining Nomad node %s for as long as its allocations run, because onTimeout is Retain", n.Spec.NodeID)
		return
	}
	e.Normal(n, nil, "DrainStarted", "Drain", "Draining Nomad node %s, deadline %s", n.Spec.NodeID,
		n.Spec.Drain.DeadlineTime.UTC().Format(time.RFC3339))
}

// drainExtended emits that a drain begins only now. People may have read the former deadline.
func (e emitter) drainExtended(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "DrainExtended", "Drain",
		"Nomad could not be told of the drain before. The allocations get their time from now: the new deadline is %s",
		n.Spec.Drain.DeadlineTime.UTC().Format(time.RFC3339))
}

// drainCanceledNotEmpty has no Event of the VM, because its drain was never sent.
func (e emitter) drainCanceledNotEmpty(n *v1alpha1.NomadNode, allocation string) {
	e.Normal(n, nil, "DrainCanceled", "CancelDrain",
		"The member was to leave only if it is empty, but got allocation %s before its node was ineligible; it stays",
		allocation)
}

func (e emitter) drainResent(n *v1alpha1.NomadNode) {
	e.Warn(n, "DrainStalled", "Drain", "Nomad's drain had stalled with only system allocations left; sent it again")
}

// drainCanceled emits what the cancellation has undone: a node that was ineligible before the drain request stays so.
func (e emitter) drainCanceled(n *v1alpha1.NomadNode, eligible bool) {
	text := "The drain of Nomad node %s is canceled; it stays ineligible, as it was before its drain was requested"
	if eligible {
		text = "Nomad node %s is eligible again"
	}
	e.Normal(n, nil, "DrainCanceled", "CancelDrain", text, n.Spec.NodeID)
	e.normalOfVM(n, "DrainCanceled", "CancelDrain", "The drain is canceled, and this VM stays")
}

// drainUndone emits why a drain is canceled for which there was no request any more.
func (e emitter) drainUndone(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "DrainCanceled", "CancelDrain",
		"Nomad node %s drains for a drain request that was canceled long ago; Nomad may have been restored from a snapshot. "+
			"The drain is canceled again", n.Spec.NodeID)
}

// drained emits the end of a drain. What follows has no Event of its own, unless something is in its way.
func (e emitter) drained(n *v1alpha1.NomadNode, message string) {
	e.Normal(n, nil, "Drained", "Drain", "%s What is left of the member is removed.", message)
}

func (e emitter) reopened(n *v1alpha1.NomadNode) {
	e.Warn(n, "DrainReopened", "Drain",
		"The Nomad node takes work again, or has some, after it was drained; draining it once more")
}

func (e emitter) drainForced(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "DrainForced", "Drain", "%s", message)
	e.warnOfVM(n, "DrainForced", "Drain", "%s", message)
}

func (e emitter) drainSkipped(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "DrainSkipped", "Drain", "%s", message)
}

func (e emitter) deleteStuck(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "DeleteStuck", "DeleteVM", "%s", message)
}

func (e emitter) purgeSkipped(n *v1alpha1.NomadNode) {
	e.Warn(n, "PurgeSkipped", "Purge", "Nomad can't be asked; node %s is left to Nomad's own garbage collection",
		n.Spec.NodeID)
}
