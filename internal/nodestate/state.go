package nodestate

import (
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// State is everything that is known of one member at one moment.
type State struct {
	// Now is that moment.
	Now time.Time
	// Node is the NomadNode.
	Node Node
	// VM is the virtual machine of the member's name.
	VM VM
	// Instance is the VM's running instance; while it exists, the guest may run.
	Instance Instance
	// Secret is true while the cloud-init Secret exists.
	Secret bool
	// SecretMissing is true if somebody has deleted the Secret of a VM whose guest waits to boot. Only observed while
	// member.NeedsSecret.
	SecretMissing bool
	// HasIntroductionToken is true while the Secret holds an introduction token. Once the VM has been seen, the status
	// tells that.
	HasIntroductionToken bool
	// IntroductionStaleAt is when the introduction token in the Secret must be renewed, because it may expire before a
	// guest that boots then has joined; zero: there is none. Only observed while the VM is to be made, or
	// member.NeedsSecret.
	IntroductionStaleAt time.Time
	// Claims are those that still exist. Only observed for a member that is being removed.
	Claims []Claim
	// Nomad is the member's Nomad node.
	Nomad Nomad
	// NomadRecovered is since when Nomad can be asked, and its servers have had the same leader; zero: not known.
	NomadRecovered time.Time
	// Problem is what keeps the member's VM or Secret from being rendered or made now; nil: nothing. Only observed while
	// one of them is to be made.
	Problem *Blocked
	// Refused is why the API server has just refused a step of the removal, in its words; nil: it has not. It comes from
	// the outcome of the step, not from an observation.
	Refused *Blocked
	// PurgeTimeout bounds how long the removal of a drained member waits for a Nomad that can't be asked. Nomad forgets a
	// node that is down by itself, after node_gc_threshold.
	PurgeTimeout time.Duration
	// PoolDeleted is true when the member's pool is gone, or is being deleted. Only observed while NeedsPool.
	PoolDeleted bool
	// Suspended is true while the member's pool doesn't judge if it joins, and Resumed is when that was over last; zero:
	// never. Only observed while member.AwaitsJoin.
	Suspended bool
	Resumed   time.Time
	// Cordon and Drain are when Nomad accepted these for the drain request; zero: not yet, by this process. Nomad's list
	// may not show them.
	Cordon, Drain Accepted
	// Stop is the same of what is left at the deadline.
	Stop Stop
	// DrainExtended is true if this process has given the drain request more time since Nomad accepted it.
	DrainExtended bool
	// SiblingsEligible is true while another member with a drain request is still eligible in Nomad.
	SiblingsEligible bool
}

// Blocked is what blocks a member: its cause to decide by, and the problem for people.
type Blocked struct {
	By v1alpha1.BlockedCause
	condition.Problem
}

// NeedsPerson reports whether what blocks a member doesn't pass by itself. Capacity and quotas become free, a failure
// is tried again, a Nomad that can't be asked gives introduction tokens once it can, and of what a template names some
// may be on its way.
func (b Blocked) NeedsPerson(nomadKnown bool) bool {
	switch b.By {
	case "", v1alpha1.BlockedByCapacity, v1alpha1.BlockedByQuota, v1alpha1.BlockedByFailure, v1alpha1.BlockedByPause:
		return false
	case v1alpha1.BlockedByToken:
		return nomadKnown
	default:
		return !slices.Contains(onTheirWay, b.Reason)
	}
}

// onTheirWay are the reasons of problems that pass once what a template names is there.
var onTheirWay = []string{v1alpha1.ReasonImageNotReady, v1alpha1.ReasonNetworkNotReady,
	v1alpha1.ReasonCertificateNotYetValid}

// VM is what was observed of the VM of the member's name.
type VM struct {
	Exists bool
	// Owned is true for the member's VM, and false for an external VM of the member's name.
	Owned bool
	// Deleting is true once the VM has a deletionTimestamp: KubeVirt stops the guest then, whatever finalizers there are
	// (KubeVirt: pkg/virt-controller/watch/vm/vm.go sync).
	Deleting bool
	// DeletingSince is the deletionTimestamp.
	DeletingSince time.Time
	// Finalizers keep a VM that is being deleted.
	Finalizers []string
	// Taken is true once KubeVirt has put its finalizer on the VM, so that it takes part in its deletion.
	Taken bool
	// Halted is true when the VM's runStrategy is Halted.
	Halted bool
	// AboveQuota is why Harvester has halted the VM for the namespace's quota, in its words; empty: it didn't, or the VM
	// has run since.
	AboveQuota string
	// Status is the printable status, for people.
	Status string
	// Failure is KubeVirt's explanation of why the VM can't run; empty: none.
	Failure string
	// Denied is why admission denies every change of a deleted VM, and with it the removal of finalizers, in its words;
	// nil: it doesn't. Only observed while DeletionDenied.
	Denied *Blocked
	// RemovalListed is true when the VM names its claims to be removed with it, and RemovalTried when it names any
	// although nobody may delete it: Harvester's UI writes them just before a deletion, and leaves them there if it
	// is refused.
	RemovalListed, RemovalTried bool
}

// Instance is what was observed of the VirtualMachineInstance. The instance of an external VM doesn't count.
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
	// EvacuatedFrom is the host that KubeVirt evacuates. With the evictionStrategy External KubeVirt leaves the removal of
	// the instance to this controller; empty: none.
	EvacuatedFrom string
}

// Claim is a PersistentVolumeClaim of the member.
type Claim struct {
	Name     string
	Deleting bool
	// DeletingSince is the deletionTimestamp.
	DeletingSince time.Time
	// Finalizers keep a claim that is being deleted.
	Finalizers []string
}

// Nomad is what is known of the member's Nomad node.
type Nomad struct {
	// Known is false when Nomad can't be asked, its answer is too old, or the token can't see all that it must. Then
	// nothing below may be believed, and nothing may be destroyed.
	Known bool
	// Why explains an unknown Nomad.
	Why string
	// Misconfigured is true for an unknown Nomad if the connection or the token must be mended by a person.
	Misconfigured bool
	// NotAsked is true for an unknown Nomad that this process has not asked yet, just after it has started. Until then the
	// last written conditions stay, and no timeout of Nomad ends. Within a minute or two there is an answer, or the
	// failure to get one (internal/nomad).
	NotAsked bool
	// Leader is the RPC address that Nomad's leader advertises, for people; empty: not known.
	Leader string
	// Registered is true when Nomad has a node of the member's ID that is owned by the member.
	Registered bool
	// External describes a node of the member's ID that isn't owned by the member; empty: there is none. See member.Owns.
	External string
	// Other is the node as which the member's guest has registered under another ID than the member's; nil: none was
	// found. Only observed while member.ChecksForOther.
	Other *OtherNode
	// CreateIndex is the node's; 0: unknown.
	CreateIndex uint64
	// Unlisted is true for a node that isn't in Nomad's list and was asked for by its ID: no change of the list shows how
	// it changes.
	Unlisted bool
	// MetaChanged is true for the node of a member that stays, if Nomad has it although its list of nodes doesn't: the
	// list goes by the node's meta, which a job can change. Such a node isn't Registered.
	MetaChanged bool
	// Status is Nomad's: initializing, ready, down, disconnected.
	Status string
	// Misplaced is where the client has registered instead of where it was told to, in words; empty: it is where it should
	// be. Such a member takes work that isn't its pool's.
	Misplaced string
	// Namesake is the ID of another Nomad node that lives and has the member's name; empty: there is none.
	Namesake string
	// Eligible is the scheduling eligibility.
	Eligible bool
	// Draining is true while Nomad drains the node, whoever started that.
	Draining bool
	// DrainID is the ID of the drain request for which we sent the node's last drain; empty: somebody else's, or none.
	DrainID string
	// DrainOnTimeout is what Nomad does at the deadline of our last drain: Force if it was sent with the deadline, Retain
	// if it was sent without one; empty: not our drain, or not known.
	DrainOnTimeout v1alpha1.DrainTimeoutAction
	// DrainIgnoreSystemJobs is true when our last drain leaves system jobs running.
	DrainIgnoreSystemJobs bool
	// DrainCompleted is true when the last drain is complete.
	DrainCompleted bool
	// DrainStarted is when the last drain started, and DrainUpdated when it was last sent, or ended.
	DrainStarted, DrainUpdated time.Time
	// LiveKnown is false until the live allocations have been read after the node became ineligible.
	LiveKnown bool
	// LiveProblem is why the live allocations can't be read at present; empty: they can. The text stays the same while the
	// cause does.
	LiveProblem string
	// Live are the allocations that are pending, running or unknown.
	Live []Allocation
	// Batch is what is known of the batch jobs among them. Only observed for pools.
	Batch Batch
	// StopTime is how long these may take to stop, as their jobs were promised; nil: not asked, or no answer. See
	// member.AsksStopTime.
	StopTime *time.Duration
}

// Batch is what is known of the batch jobs' allocations on a node that is to be emptied.
type Batch struct {
	// Known is false while the live allocations aren't known.
	Known bool
	// Live is true if some live, and Stopping if one of these is being stopped.
	Live, Stopping bool
}

// OtherNode is a Nomad node of another ID than the member's, whose meta names the member.
type OtherNode struct {
	ID string
	// Live are its allocations that are pending, running or unknown.
	Live []Allocation
}

// Up is true when the node is ready in Nomad, in the place where it was told to register.
func (n Nomad) Up() bool { return n.Registered && n.Status == "ready" && n.Misplaced == "" }

// Ready is true when the node takes work of its pool.
func (n Nomad) Ready() bool { return n.Up() && n.Eligible && !n.Draining }

// Allocation is a live allocation.
type Allocation struct {
	// System is true for an allocation of a system job. A sysbatch job runs to its end, as a batch job does.
	System bool
	// KeptRunning is true while Nomad wants it to run: its client hasn't been asked to stop it.
	KeptRunning bool
	// Name is what people see: name, short ID, and when it was placed.
	Name string
}

// KeepsRunning is true if Nomad wants one of the node's allocations to run on.
func (n Nomad) KeepsRunning() bool {
	return slices.ContainsFunc(n.Live, func(a Allocation) bool { return a.KeptRunning })
}

// IDTaken is true if the member's ID belongs to an external node in Nomad: unknown is not gone, so while Nomad can't be
// asked what was written last counts.
func (s State) IDTaken() bool {
	if !s.Nomad.Known {
		return s.Node.IDTaken
	}
	return s.Nomad.External != ""
}

// DrainRequested is true while the member's node is to be emptied.
func (s State) DrainRequested() bool {
	return !s.Node.Drained && s.Node.Drain != nil && !s.Node.Drain.Canceled
}
