package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Step is one idempotent action. The process may die before, during or after it: the next observation shows what is
// left to do.
type Step string

// The steps, in the order of a member's life.
const (
	// Wait: nothing to do until something changes or Decision.Wake has passed.
	Wait Step = "Wait"
	// CreateSecret makes the cloud-init Secret. It comes before the VM, which would never finish starting without it.
	CreateSecret Step = "CreateSecret"
	// RenewSecret replaces it by one with an introduction token that is still valid when the guest joins.
	RenewSecret Step = "RenewSecret"
	// CreateVM makes the VirtualMachine.
	CreateVM Step = "CreateVM"
	// RemoveIntroduction takes the introduction token out of the cloud-init Secret of a member that has joined: whoever
	// reads the Secret could join with it.
	RemoveIntroduction Step = "RemoveIntroduction"
	// RenewIntroduction puts a new introduction token into the Secret of a VM whose guest waits to boot.
	RenewIntroduction Step = "RenewIntroduction"
	// StartVM starts a VM that Harvester has halted for its namespace's quota.
	StartVM Step = "StartVM"
	// UnlistClaims takes off a VM what a refused deletion in Harvester's UI has left there, and tells who tried that.
	UnlistClaims Step = "UnlistClaims"
	// RequestDrain writes spec.drain, with the reason of the decision.
	RequestDrain Step = "RequestDrain"
	// RecordCancel writes when the drain request was canceled, if whoever canceled it hasn't.
	RecordCancel Step = "RecordCancel"
	// CancelDrain cancels the drain in Nomad, and makes the node eligible if it was made ineligible for the request.
	CancelDrain Step = "CancelDrain"
	// ClearDrainRequest removes a canceled drain request.
	ClearDrainRequest Step = "ClearDrainRequest"
	// UndoDrain does the same for a drain whose request is gone. See DrainsForNothing.
	UndoDrain Step = "UndoDrain"
	// Cordon makes the node ineligible.
	Cordon Step = "Cordon"
	// ExtendDrain writes a new deadline for a drain that is sent late.
	ExtendDrain Step = "ExtendDrain"
	// Drain tells Nomad to drain the node.
	Drain Step = "Drain"
	// ResendDrain sends a stalled drain again, and records that.
	ResendDrain Step = "ResendDrain"
	// MarkDrained checks with Nomad itself that the node is ineligible and empty, and writes the condition DrainCompleted.
	MarkDrained Step = "MarkDrained"
	// DeleteNomadNode deletes the NomadNode. From then on only its finalizer keeps it.
	DeleteNomadNode Step = "DeleteNomadNode"
	// ListClaims names the claims on the VM, so that Harvester removes them with it.
	ListClaims Step = "ListClaims"
	// DeleteVM deletes the VirtualMachine.
	DeleteVM Step = "DeleteVM"
	// HaltVM halts a deleted VM whose guest is gone, so that admission no longer denies the removal of its finalizers.
	HaltVM Step = "HaltVM"
	// Purge removes the node from Nomad.
	Purge Step = "Purge"
	// DeleteClaims deletes the claims that Harvester has not removed.
	DeleteClaims Step = "DeleteClaims"
	// DeleteSecret deletes the cloud-init Secret.
	DeleteSecret Step = "DeleteSecret"
	// Release takes the finalizer off.
	Release Step = "Release"
)

// Drained is how a drain ended, and the message for people.
type Drained struct {
	Result  v1alpha1.DrainResult
	Message string
}

// Decision is what to do with a member.
type Decision struct {
	Step Step
	// Reason is why, for RequestDrain.
	Reason v1alpha1.DrainReason
	// Unchecked has MarkDrained not ask Nomad: nothing runs, or the deadline has passed.
	Unchecked bool
	// Drained is what to write with MarkDrained.
	Drained Drained
	// Late is true if the member counts as drained, or its node is left in Nomad, because Nomad couldn't be asked in
	// time.
	Late bool
	// Wake is when to reconcile again at the latest; 0: only when something changes.
	Wake time.Duration
}
