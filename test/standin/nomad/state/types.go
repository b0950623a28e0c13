package state

import (
	"github.com/hashicorp/nomad/api"
)

// Node is a node with what only the servers know of it.
type Node struct {
	api.Node
	// SecretID is what the client proves with that it is the node.
	SecretID string
	// Transition says when the node last came or went, as the index of that change.
	Transition uint64
	// IdentityIssued is when the node's present identity was signed, in nanoseconds since 1970.
	IdentityIssued int64
}

// Copy is a node that may be changed: the maps and lists of its nested fields are shared, and have to be replaced as
// wholes.
func (n *Node) Copy() *Node {
	c := *n
	return &c
}

// JobVersion is a version of a job, which outlives the next one.
type JobVersion struct {
	*api.Job
}

// Setting is a configuration of the cluster by its name.
type Setting struct {
	Name        string
	Value       []byte
	CreateIndex uint64
	ModifyIndex uint64
}

// Names of statuses, as Nomad spells them.
const (
	NodeInit         = "initializing"
	NodeReady        = "ready"
	NodeDown         = "down"
	NodeDisconnected = "disconnected"

	Eligible   = "eligible"
	Ineligible = "ineligible"

	ClientPending  = "pending"
	ClientRunning  = "running"
	ClientComplete = "complete"
	ClientFailed   = "failed"
	ClientLost     = "lost"
	ClientUnknown  = "unknown"

	DesiredRun   = "run"
	DesiredStop  = "stop"
	DesiredEvict = "evict"

	JobPending = "pending"
	JobRunning = "running"
	JobDead    = "dead"

	EvalBlocked   = "blocked"
	EvalPending   = "pending"
	EvalComplete  = "complete"
	EvalFailed    = "failed"
	EvalCancelled = "canceled"

	TypeService  = "service"
	TypeBatch    = "batch"
	TypeSystem   = "system"
	TypeSysBatch = "sysbatch"
)

// Terminal reports if the client has ended the allocation for good. Unknown is not terminal (facts/nomad.md §2).
func Terminal(a *api.Allocation) bool {
	return a.ClientStatus == ClientComplete || a.ClientStatus == ClientFailed || a.ClientStatus == ClientLost
}

// ServerTerminal reports if the servers want the allocation no more.
func ServerTerminal(a *api.Allocation) bool {
	return a.DesiredStatus == DesiredStop || a.DesiredStatus == DesiredEvict
}

// Key is the ID of what belongs to a namespace.
func Key(namespace, id string) string { return namespace + "\x00" + id }

// JobKey is the key of a job.
func JobKey(j *api.Job) string { return Key(Value(j.Namespace), Value(j.ID)) }

// Value is what p points to, or the zero value.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
