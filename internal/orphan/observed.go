package orphan

import "time"

// Kind is what a leftover is; the values are those of the metric's label.
type Kind string

// The kinds.
const (
	ClientNode Kind = "nomad_node"
	Claim      Kind = "claim"
	Secret     Kind = "secret"
	// VM is only told of: a guest runs in it, which nobody but a person can drain.
	VM Kind = "vm"
	// NomadNode is a NomadNode whose pool is gone. It goes on without one, so it is only told of.
	NomadNode Kind = "record"
)

// Key names something in a namespace.
type Key struct{ Namespace, Name string }

// Resource is something that carries the marks of a member.
type Resource struct {
	Kind Kind
	// Key of it. The name of a Nomad node is its ID, in the namespace of its pool.
	Key
	// Member is the name of the member, in the same namespace.
	Member string
	// PoolUID is the member's pool's.
	PoolUID string
	// Secret is the name of the member's cloud-init Secret, as it follows from the leftover; empty: it doesn't.
	Secret string
	// Unasked is true for a Nomad node that Nomad wasn't asked for at this look, or of which it hasn't answered. What it
	// said earlier counts for the grace, but nothing is removed on it.
	Unasked bool
}

// Owner is the member's key.
func (l Resource) Owner() Key { return Key{l.Namespace, l.Member} }

// Removable is false for what is only told of.
func (l Resource) Removable() bool { return l.Kind != VM && l.Kind != NomadNode }

// Pool is what a pool says about its leftovers.
type Pool struct {
	// Paused: nothing of it is swept.
	Paused bool
	// KeepsNodes: Nomad nodes are left to Nomad's own garbage collection.
	KeepsNodes bool
}

// Observed is what was seen at one look. What carries marks was read before the records of the members, and these
// before the machines: a member's record is made first, so what was seen without one has none.
type Observed struct {
	// Now is when.
	Now time.Time
	// Resources are candidates: Nomad nodes that are down in a Nomad that is known and settled, claims that aren't being
	// deleted, VMs, and the records of members.
	Resources []Resource
	// Pools are those that exist, by UID.
	Pools map[string]Pool
	// Members are those that have a record.
	Members map[Key]bool
	// NodeIDs are those of the members that have a record.
	NodeIDs map[string]bool
	// Machines are the VMs and instances, whoever's, in the namespaces of the Suspects.
	Machines map[Key]bool
	// Mentioned are the Suspects, and their Secrets, that some VM or instance there names in whatever place, whoever's
	// it is.
	Mentioned map[Key]bool
}
