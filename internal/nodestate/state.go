package nodestate

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// State is everything that is known of one member at one moment.
type State struct {
	// Now is that moment.
	Now time.Time
	// Record is the NomadNode.
	Node Node
	// VM is the virtual machine of the member's name.
	VM VM
	// Instance is the VM's running instance; while it exists, the guest may run.
	Instance Instance
	// Secret is true while the cloud-init Secret exists.
	Secret bool
	// SecretStale is true when the introduction token in the Secret may run out before a guest made now has joined. Only
	// observed while the VM is to be made.
	SecretStale bool
	// Claims are those of the recorded claims that still exist. Only observed for a member that is being removed.
	Claims []Claim
	// Nomad is the member's Nomad node.
	Nomad Nomad
	// Problem is what keeps the member's VM from being rendered or made now; nil: nothing. Only observed while the VM is
	// to be made.
	Problem *Blocked
	// Refused is why the API server has just refused a step of the removal, in its words; nil: it has not. Never
	// observed, but learnt by the step.
	Refused *Blocked
	// PurgeTimeout bounds how long the removal of a drained member waits for a Nomad that can't be asked. Nomad forgets a
	// node that is down by itself, after node_gc_threshold.
	PurgeTimeout time.Duration
	// PoolDeleted is true when the member's pool is gone, or is being deleted. Only observed while NeedsPool.
	PoolDeleted bool
	// SiblingsEligible is true while another member with an intent is still eligible in Nomad.
	SiblingsEligible bool
}

// Blocked is what is in a member's way: its kind to decide by, and the words for people.
type Blocked struct {
	By v1alpha1.BlockedCause
	condition.Problem
}

// NeedsPerson reports that what is in a member's way doesn't go by itself. Capacity and quotas become free, a failure
// is tried again, and a Nomad that can't be asked gives introduction tokens once it can.
func NeedsPerson(by v1alpha1.BlockedCause, nomadKnown bool) bool {
	switch by {
	case "", v1alpha1.BlockedByCapacity, v1alpha1.BlockedByQuota, v1alpha1.BlockedByFailure, v1alpha1.BlockedByPause:
		return false
	case v1alpha1.BlockedByToken:
		return nomadKnown
	default:
		return true
	}
}

// VM is what was seen of the VM of the member's name.
type VM struct {
	Exists bool
	// Ours is false for a VM of the member's name that isn't the member's.
	Ours bool
	// Deleting is true once the VM has a deletionTimestamp: KubeVirt stops the guest then, whatever finalizers there are
	// (KubeVirt: pkg/virt-controller/watch/vm/vm.go sync).
	Deleting bool
	// DeletingSince is the deletionTimestamp.
	DeletingSince time.Time
	// Finalizers hold a VM that is being deleted.
	Finalizers []string
	// Halted is true when the VM's runStrategy is Halted.
	Halted bool
	// AboveQuota is why Harvester has halted the VM, in its words, if it did so for the namespace's quota; empty: it
	// didn't, or the VM has run since.
	AboveQuota string
	// Status is the printable status, for people.
	Status string
	// Failure is KubeVirt's explanation of why the VM can't run; empty: none.
	Failure string
	// Held is why admission refuses every change of a deleted VM, in its words, and with it the removal of finalizers;
	// nil: it doesn't. Only observed while DeletionDenied.
	Held *Blocked
	// RemovalListed is true when the VM names its claims to be removed with it.
	RemovalListed bool
}

// Instance is what was seen of the VirtualMachineInstance. That of a VM that isn't the member's doesn't count.
type Instance struct {
	Exists bool
	// DeletingSince is the deletionTimestamp; zero: it isn't being deleted.
	DeletingSince time.Time
	// Host is the Harvester host that it runs on; empty: none yet.
	Host string
	// Running is true when its phase is Running.
	Running bool
	// Ended is true once its phase is Succeeded or Failed: the guest has stopped.
	Ended bool
	// Unschedulable is why no host can take the instance, in the scheduler's words; empty: one can, or that isn't known.
	Unschedulable string
	// UnschedulableSince is since when.
	UnschedulableSince time.Time
	// EvacuatedFrom is the host that KubeVirt asks to have freed of the instance, which nobody but us will do, because its
	// evictionStrategy is External; empty: none.
	EvacuatedFrom string
}

// Claim is a PersistentVolumeClaim of the member.
type Claim struct {
	Name     string
	Deleting bool
	// DeletingSince is the deletionTimestamp.
	DeletingSince time.Time
	// Finalizers hold a claim that is being deleted.
	Finalizers []string
}

// Nomad is what is known of the member's Nomad node.
type Nomad struct {
	// Known is false when Nomad can't be asked, the answer is too old, or the token can't see all it must: then nothing
	// below may be believed, and nothing may be destroyed.
	Known bool
	// Why explains an unknown Nomad.
	Why string
	// NotAsked is true for an unknown Nomad that this process merely has not asked yet, just after it has started: what
	// was found before that stands for the moment, and no patience with Nomad ends. It doesn't last: within a minute or
	// two there is an answer, or the failure to get one (internal/nomad: RequestTimeout, tokenPatience).
	NotAsked bool
	// Leader is what Nomad's leader calls its RPC address, for people; empty: not known.
	Leader string
	// Registered is true when a node of the member's ID is there that is the member's.
	Registered bool
	// Foreign says of a node of the member's ID that isn't the member's what it is; empty: there is none. See Owns.
	Foreign string
	// CreateIndex is the node's; 0: unknown.
	CreateIndex uint64
	// Unlisted is true for a node that isn't in Nomad's list, and was asked for by its ID: no change of the list tells
	// of it.
	Unlisted bool
	// Status is Nomad's: initializing, ready, down, disconnected.
	Status string
	// Eligible is the scheduling eligibility.
	Eligible bool
	// Draining is true while Nomad has a drain on the node, whoever ordered it.
	Draining bool
	// DrainID is our mark on the node's last drain; empty: somebody else's, or none.
	DrainID string
	// DrainOnTimeout is what our last drain told Nomad to do at the deadline: Force, by giving it the deadline, or
	// Retain, by giving none; empty: not ours, or not known.
	DrainOnTimeout v1alpha1.DrainTimeoutAction
	// DrainIgnoreSystemJobs is true when our last drain told Nomad to leave system jobs running.
	DrainIgnoreSystemJobs bool
	// DrainCompleted is true when the last drain is complete.
	DrainCompleted bool
	// DrainStarted is when the last drain started, and DrainUpdated when it was last sent, or ended.
	DrainStarted, DrainUpdated time.Time
	// LiveKnown is false until the live allocations have been read after the node became ineligible.
	LiveKnown bool
	// LiveProblem is why the live allocations can't be read at present, in words that stay the same while the cause does;
	// empty: they can.
	LiveProblem string
	// Live are the allocations that are pending, running or unknown.
	Live []Allocation
	// StopTime is how long these may take to stop, as their jobs were promised; nil: not asked, or no answer. See
	// AsksStopTime.
	StopTime *time.Duration
}

// Ready is true when the node takes work.
func (n Nomad) Ready() bool { return n.Registered && n.Status == "ready" && n.Eligible && !n.Draining }

// Allocation is a live allocation.
type Allocation struct {
	// System is true for those of system jobs. A sysbatch job runs to its end, as a batch job does.
	System bool
	// Name is what people are shown: name, short ID, and when it was placed.
	Name string
}

// Ordered is true while the member's node is to be emptied.
func (s State) Ordered() bool {
	return !s.Node.Drained && s.Node.Drain != nil && !s.Node.Drain.Canceled
}
