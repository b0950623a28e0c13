package controllers

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// nodeEvents are the Events of members. One function each, so that their wording stays the same everywhere. They are sent after the change that
// they tell of has been written.
type nodeEvents struct{ eventSink }

func (e nodeEvents) vmCreated(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "VMCreated", "CreateVM", "Created VirtualMachine %s and its Secret", n.Name)
}

func (e nodeEvents) vmStarted(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "VMStarted", "StartVM", "Started VirtualMachine %s, which Harvester had halted for the namespace's quota", n.Name)
}

func (e nodeEvents) vmRefused(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "VMRefused", "CreateVM", "%s", message)
}

// noRoom says why a VM that was accepted doesn't run.
func (e nodeEvents) noRoom(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "NoRoom", "StartVM", "%s", message)
}

func (e nodeEvents) vmNotMade(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "CreateFailed", "CreateVM", "The VM could not be made. %s", message)
}

func (e nodeEvents) joined(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "Joined", "Join", "Nomad node %s is ready", n.Spec.NodeID)
}

func (e nodeEvents) joinTimeout(n *v1alpha1.NomadNode) {
	e.warn(n, "JoinTimeout", "Join", "The guest didn't join Nomad within %s", n.Spec.JoinTimeout.Duration)
}

// leaving tells of an order to leave. host is the one that the member runs on, as far as it is known.
func (e nodeEvents) leaving(n *v1alpha1.NomadNode, reason v1alpha1.DrainReason, host string) {
	switch reason {
	case v1alpha1.DrainVMDeleted:
		e.warn(n, "VMDeletedByOthers", "Drain", "Somebody deleted the VM without draining it; what is left of the member is cleaned up. To remove a member, delete its NomadNode.")
	case v1alpha1.DrainEvacuation:
		e.normal(n, nil, "Evacuating", "Drain", "Host %s is to be freed: draining, then removing the member, which is replaced elsewhere", host)
	default:
		e.normal(n, nil, "Leaving", "Drain", "Draining, then removing the member: %s", member.Because(reason))
	}
}

func (e nodeEvents) drainStarted(n *v1alpha1.NomadNode) {
	if record(n).DrainOnTimeout() == v1alpha1.DrainRetain {
		e.normal(n, nil, "DrainStarted", "Drain", "Draining Nomad node %s for as long as its allocations run, because onTimeout is Retain", n.Spec.NodeID)
		return
	}
	e.normal(n, nil, "DrainStarted", "Drain", "Draining Nomad node %s, deadline %s", n.Spec.NodeID, n.Spec.Drain.Deadline.UTC().Format(time.RFC3339))
}

func (e nodeEvents) drainWithdrawn(n *v1alpha1.NomadNode, allocation string) {
	e.normal(n, nil, "DrainWithdrawn", "Rescue", "The member was to leave only if it is empty, but got allocation %s before its node was ineligible; it stays", allocation)
}

func (e nodeEvents) drainKicked(n *v1alpha1.NomadNode) {
	e.warn(n, "DrainStalled", "Drain", "Nomad's drain had stalled with only system allocations left; sent it again")
}

// drainCanceled tells what a rescue has undone: a node that was ineligible before the order to leave stays so.
func (e nodeEvents) drainCanceled(n *v1alpha1.NomadNode, eligible bool) {
	if eligible {
		e.normal(n, nil, "DrainCanceled", "Rescue", "Nomad node %s is eligible again", n.Spec.NodeID)
		return
	}
	e.normal(n, nil, "DrainCanceled", "Rescue", "The drain of Nomad node %s is canceled; it stays ineligible, as it was before its member was ordered to leave", n.Spec.NodeID)
}

func (e nodeEvents) drained(n *v1alpha1.NomadNode, message string) {
	e.normal(n, nil, "Drained", "Drain", "%s", message)
}

func (e nodeEvents) reopened(n *v1alpha1.NomadNode) {
	e.warn(n, "DrainReopened", "Drain", "The Nomad node takes work again, or has some, after it was drained; draining it once more")
}

func (e nodeEvents) drainForced(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "DrainForced", "Drain", "%s", message)
}

func (e nodeEvents) drainSkipped(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "DrainSkipped", "Drain", "%s", message)
}

func (e nodeEvents) vmDeleted(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "VMDeleted", "DeleteVM", "Deleted VirtualMachine %s with its disks", n.Name)
}

func (e nodeEvents) deleteStuck(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "DeleteStuck", "DeleteVM", "%s", message)
}

func (e nodeEvents) purged(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "Purged", "Purge", "Removed node %s from Nomad", n.Spec.NodeID)
}

func (e nodeEvents) purgeSkipped(n *v1alpha1.NomadNode) {
	e.warn(n, "PurgeSkipped", "Purge", "Nomad can't be asked; node %s is left to Nomad's own garbage collection", n.Spec.NodeID)
}
