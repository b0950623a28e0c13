package nomad

import "time"

// Node is one Nomad client as Nomad sees it.
type Node struct {
	ID, Name string
	// Status is initializing, ready, down or disconnected.
	Status string
	// NodePool, NodeClass and Datacenter are as the client reports them.
	NodePool, NodeClass, Datacenter string
	// Version is Nomad's, as in 1.11.3.
	Version string
	// Address is the host of the client's HTTP API: the address of the VM.
	Address string
	// Eligible is independent of Status: a node that is down may be eligible.
	Eligible bool
	// Draining: a drain is set. It may still be set when the drain is over or the node has no allocations, and a node
	// without it may still have live allocations. So count the allocations.
	Draining bool
	// LastDrain is the present or else the latest drain; nil: never. It stays after the drain was canceled and after a
	// reboot.
	LastDrain *Drain
	// CreateIndex orders nodes by when they first joined.
	CreateIndex uint64
	// CPU in shares (MHz) and MemoryMB in MiB are what allocations may use: the total less what is reserved.
	CPU, MemoryMB int64
	// Namesake is the ID of another node that lives and has the same name; empty: there is none among those of pools. Only
	// a View has it.
	Namesake string
	// PoolUID and Member are from the client's meta. Only Inspect fills them: Nomad's list of nodes has no meta.
	PoolUID, Member string
	// ForceDeadline is when Nomad stops what is left under the drain that is set, by the servers' clock; zero: never, or
	// at once. Only Inspect fills it.
	ForceDeadline time.Time
	// StopsNow is true under a drain that stops at once what is left. Only Inspect fills it.
	StopsNow bool
}

// Drain is a drain of a node, as Nomad has it.
type Drain struct {
	// Status is one of the Drain constants.
	Status string
	// DrainID is the one that Cluster.Drain sent; empty: somebody else's drain.
	DrainID string
	// OnTimeout is what the drain was sent for: Force with a deadline, Retain without; empty: not by Cluster.Drain.
	OnTimeout TimeoutAction
	// IgnoreSystemJobs is true when Cluster.Drain sent it so.
	IgnoreSystemJobs bool
	// AccessorID names who sent it: "token:<accessor>", or "client:<node>" for a client that drains itself when it stops.
	AccessorID string
	// StartedAt, and UpdatedAt, when it was last sent or ended, have a precision of one second.
	StartedAt, UpdatedAt time.Time
}

// Values of Drain.Status.
const (
	DrainDraining = "draining"
	DrainComplete = "complete"
	DrainCanceled = "canceled"
)

// Values of Node.Status.
const (
	NodeInitializing = "initializing"
	NodeReady        = "ready"
	NodeDown         = "down"
	NodeDisconnected = "disconnected"
)

// View is the latest that is known of the nodes of one cluster.
type View struct {
	// Taken is when Nomad last answered. It advances every few seconds even when nothing changes. Zero: never.
	Taken time.Time
	// Nodes by ID: all that carry a pool's UID in their meta. Shared; not to be written to.
	Nodes map[string]Node
	// Health is as of now, not as of Taken.
	Health Health
	// RecoveredSince is the later of when the health became OK and when the servers last changed their leader; zero: never
	// OK. For a while after it a node that is missing or down means nothing: running clients may not have sent a heartbeat
	// yet, and a new leader counts heartbeats from the start (Nomad: nomad/heartbeat.go, initializeHeartbeatTimers).
	RecoveredSince time.Time
	// Leader is the RPC address of the last known leader; empty: none is known yet.
	Leader string
	// Introduces: Nomad has given this process an introduction token, so its servers may require one.
	Introduces bool
	// NoACLs: the latest check of the token has found that the cluster runs without ACLs. False as long as that isn't
	// known.
	NoACLs bool
}

// Allocation is one live allocation.
type Allocation struct {
	ID, NodeID, Namespace, JobID string
	// JobType is service, batch, system or sysbatch.
	JobType string
	Name    string
	// ClientStatus is pending, running or unknown, or failed for one whose poststop tasks run; DesiredStatus is run,
	// stop or evict.
	ClientStatus, DesiredStatus string
	CreateTime                  time.Time
	// MovingTo is the next allocation, which is fetching this one's data from its node, though this one has ended;
	// empty: none.
	MovingTo string
}

// AllocationsView is the latest that is known of the live allocations of the tracked nodes.
type AllocationsView struct {
	// Started is when the request was sent whose answer Live is. What is missing in Live did not exist then. Zero:
	// never asked.
	Started time.Time
	// Live has an entry for each node that was asked about, an empty one if it has no live allocations. No entry means
	// "not asked" or "unknown", not "empty". An allocation is live while its client status is pending, running or unknown,
	// and while another fetches its data. Shared; not to be written to.
	Live map[string][]Allocation
	// Err is why the latest poll failed; Started and Live are then from the last poll that succeeded. If it failed for
	// some nodes only, Live has no entry for these.
	Err error
}

// Inspection is the state of one node, read from the leader.
type Inspection struct {
	// Found: Nomad has the node. The rest is empty otherwise.
	Found bool
	Node  Node
	// Live are its live allocations, read after the node: if the node was ineligible, no allocation was added since.
	// Unlike in an AllocationsView, they include failed allocations until all their tasks are dead.
	Live []Allocation
}

// Usage is how busy a node is.
type Usage struct {
	// CPU in shares and MemoryMB in MiB are what running allocations have reserved, as Nomad Autoscaler's least_busy
	// counts it.
	CPU, MemoryMB int64
	// Allocations counts the live ones, those of system jobs included; SystemAllocations those of system jobs alone.
	Allocations, SystemAllocations int
}

// DrainOptions is how to drain a node.
type DrainOptions struct {
	// DrainID identifies the drain request (spec.drain). A node that drains with this ID already isn't sent another drain.
	DrainID string
	// Remaining is how long allocations may still take; zero or less: stop them now. It is the time until the deadline of
	// the drain request, because Nomad counts anew from each drain that is sent.
	Remaining time.Duration
	// NoDeadline drains for as long as it takes; Remaining doesn't count then. Nomad: DrainSpec.Deadline 0.
	NoDeadline bool
	// IgnoreSystemJobs leaves allocations of system jobs running.
	IgnoreSystemJobs bool
	// LeftRunning sends the drain once more if the one with this DrainID is complete: it has left something running.
	LeftRunning bool
	// OnlyIneligible sends no drain to an eligible node. A drain makes a node ineligible, and that must be written to the
	// status of its NomadNode first.
	OnlyIneligible bool
	// Pool, as namespace/name, and Member are put into the drain's meta, for people.
	Pool, Member string
}
