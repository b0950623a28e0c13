package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Step is one idempotent action. The process may die before, during or after it: what is observed next leads on.
type Step string

// The steps, in the order of a member's life.
const (
	// Wait: nothing to do until something changes or Decision.Wake has passed.
	Wait Step = "Wait"
	// RecordClaims writes the names of the claims into status.
	RecordClaims Step = "RecordClaims"
	// CreateSecret makes the cloud-init Secret. A VM without it would start for ever, so it comes first.
	CreateSecret Step = "CreateSecret"
	// RenewSecret makes it anew, with an introduction token that will still be good when the guest joins.
	RenewSecret Step = "RenewSecret"
	// CreateVM makes the VirtualMachine.
	CreateVM Step = "CreateVM"
	// StartVM starts a VM that Harvester has halted for its namespace's quota.
	StartVM Step = "StartVM"
	// RequestDrain writes spec.drain, with the reason of the decision.
	RequestDrain Step = "RequestDrain"
	// RecordCancel writes when the order to leave was taken back, if whoever did it hasn't.
	RecordCancel Step = "RecordCancel"
	// CancelDrain cancels the drain in Nomad, and makes the node eligible if it was made ineligible for the intent.
	CancelDrain Step = "CancelDrain"
	// ClearDrainRequest removes a canceled intent.
	ClearDrainRequest Step = "ClearDrainRequest"
	// Cordon makes the node ineligible.
	Cordon Step = "Cordon"
	// Drain tells Nomad to drain the node.
	Drain Step = "Drain"
	// ResendDrain sends a stalled drain again, and writes that down.
	ResendDrain Step = "ResendDrain"
	// MarkDrained checks with Nomad itself that the node is ineligible and empty, and writes the Drained condition.
	MarkDrained Step = "MarkDrained"
	// DeleteNomadNode deletes the NomadNode, which only the finalizer keeps from now on.
	DeleteNomadNode Step = "DeleteNomadNode"
	// ListClaims names the claims on the VM, so that Harvester removes them with it.
	ListClaims Step = "ListClaims"
	// DeleteVM deletes the VirtualMachine.
	DeleteVM Step = "DeleteVM"
	// HaltVM halts a deleted VM whose guest is gone and that admission holds, so that it is let go.
	HaltVM Step = "HaltVM"
	// Purge removes the node from Nomad.
	Purge Step = "Purge"
	// DeleteClaims deletes claims that Harvester left.
	DeleteClaims Step = "DeleteClaims"
	// DeleteSecret deletes the cloud-init Secret.
	DeleteSecret Step = "DeleteSecret"
	// Release takes the finalizer off.
	Release Step = "Release"
)

// Drained is how a drain ended, and the words for people.
type Drained struct {
	Result  v1alpha1.DrainResult
	Message string
}

// Decision is what to do with a member.
type Decision struct {
	Step Step
	// Reason is why, for RequestDrain.
	Reason v1alpha1.DrainReason
	// Unchecked tells MarkDrained not to ask Nomad: nothing runs, or the deadline has passed.
	Unchecked bool
	// Drained is what to write with MarkDrained.
	Drained Drained
	// Late is true if the member is taken for drained, or its node is left in Nomad, because Nomad couldn't be asked in
	// time.
	Late bool
	// Wake is when to look again at the latest; 0: only when something changes.
	Wake time.Duration
}
