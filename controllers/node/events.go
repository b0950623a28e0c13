package node

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// emitter sends the Events of members. One function each, so that their wording stays the same everywhere. They are
// sent after the change that they tell of has been written.
type emitter struct{ kube.EventSink }

func (e emitter) vmCreated(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "VMCreated", "CreateVM", "Created VirtualMachine %s and its Secret", n.Name)
}

func (e emitter) vmStarted(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "VMStarted", "StartVM",
		"Started VirtualMachine %s, which Harvester had halted for the namespace's quota", n.Name)
}

func (e emitter) vmStopped(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "VMStopped", "StopVM", "%s", message)
}

func (e emitter) nodeDown(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "NodeDown", "CheckHealth", "%s", message)
}

func (e emitter) vmRefused(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "VMRefused", "CreateVM", "%s", message)
}

// noRoom says why a VM that was accepted doesn't run.
func (e emitter) noRoom(n *v1alpha1.NomadNode, message string) {
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
}

// leaving tells of an order to leave. host is the one that the member runs on, as far as it is known.
func (e emitter) leaving(n *v1alpha1.NomadNode, reason v1alpha1.DrainReason, host string) {
	switch reason {
	case v1alpha1.DrainVMDeleted:
		e.Warn(n, "VMDeletedByOthers", "Drain",
			"Somebody deleted the VM without draining it; what is left of the member is cleaned up. To remove a member, delete its NomadNode.")
	case v1alpha1.DrainEvacuation:
		e.Normal(n, nil, "Evacuating", "Drain",
			"Host %s is to be freed: draining, then removing the member, which is replaced elsewhere", host)
	default:
		e.Normal(n, nil, "DrainRequested", "Drain", "Draining, then removing the member: %s", member.Because(reason))
	}
}

func (e emitter) drainStarted(n *v1alpha1.NomadNode) {
	if nodestate.Of(n).DrainOnTimeout() == v1alpha1.DrainRetain {
		e.Normal(n, nil, "DrainStarted", "Drain",
			"Draining Nomad node %s for as long as its allocations run, because onTimeout is Retain", n.Spec.NodeID)
		return
	}
	e.Normal(n, nil, "DrainStarted", "Drain", "Draining Nomad node %s, deadline %s", n.Spec.NodeID,
		n.Spec.Drain.DeadlineTime.UTC().Format(time.RFC3339))
}

func (e emitter) drainCanceledNotEmpty(n *v1alpha1.NomadNode, allocation string) {
	e.Normal(n, nil, "DrainCanceled", "CancelDrain",
		"The member was to leave only if it is empty, but got allocation %s before its node was ineligible; it stays",
		allocation)
}

func (e emitter) drainResent(n *v1alpha1.NomadNode) {
	e.Warn(n, "DrainStalled", "Drain", "Nomad's drain had stalled with only system allocations left; sent it again")
}

// drainCanceled tells what a rescue has undone: a node that was ineligible before the order to leave stays so.
func (e emitter) drainCanceled(n *v1alpha1.NomadNode, eligible bool) {
	if eligible {
		e.Normal(n, nil, "DrainCanceled", "CancelDrain", "Nomad node %s is eligible again", n.Spec.NodeID)
		return
	}
	e.Normal(n, nil, "DrainCanceled", "CancelDrain",
		"The drain of Nomad node %s is canceled; it stays ineligible, as it was before its member was ordered to leave",
		n.Spec.NodeID)
}

func (e emitter) drained(n *v1alpha1.NomadNode, message string) {
	e.Normal(n, nil, "Drained", "Drain", "%s", message)
}

func (e emitter) reopened(n *v1alpha1.NomadNode) {
	e.Warn(n, "DrainReopened", "Drain",
		"The Nomad node takes work again, or has some, after it was drained; draining it once more")
}

func (e emitter) drainForced(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "DrainForced", "Drain", "%s", message)
}

func (e emitter) drainSkipped(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "DrainSkipped", "Drain", "%s", message)
}

func (e emitter) vmDeleted(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "VMDeleted", "DeleteVM", "Deleted VirtualMachine %s with its disks", n.Name)
}

func (e emitter) deleteStuck(n *v1alpha1.NomadNode, message string) {
	e.Warn(n, "DeleteStuck", "DeleteVM", "%s", message)
}

func (e emitter) purged(n *v1alpha1.NomadNode) {
	e.Normal(n, nil, "Purged", "Purge", "Removed node %s from Nomad", n.Spec.NodeID)
}

func (e emitter) purgeSkipped(n *v1alpha1.NomadNode) {
	e.Warn(n, "PurgeSkipped", "Purge", "Nomad can't be asked; node %s is left to Nomad's own garbage collection",
		n.Spec.NodeID)
}
