package orphan

import "time"

// Kind is the kind of an orphaned resource. The values are those of the metric's label.
type Kind string

// The kinds.
const (
	ClientNode Kind = "nomad_node"
	Claim      Kind = "claim"
	Secret     Kind = "secret"
	// VM is only reported: its guest runs, and only a person can drain it.
	VM Kind = "vm"
	// NomadNode is a NomadNode whose pool is gone. The member works without a pool, so it is only reported.
	NomadNode Kind = "nomadnode"
)

// Key names something in a namespace.
type Key struct{ Namespace, Name string }

// Resource is a resource with the labels or the meta of a member.
type Resource struct {
	Kind Kind
	// Key of it. The name of a Nomad node is its ID, in the namespace of its pool.
	Key
	// Member is the name of the member, in the same namespace.
	Member string
	// PoolUID is the UID of the member's pool.
	PoolUID string
	// Secret is the name of the member's cloud-init Secret, as it follows from the resource; empty: it doesn't.
	Secret string
	// NotAsked is true for a Nomad node for which Nomad wasn't asked at this observation, or has not answered. An earlier
	// answer counts for the grace period, but is no reason to remove anything.
	NotAsked bool
}

// Owner is the member's key.
func (l Resource) Owner() Key { return Key{l.Namespace, l.Member} }

// Removable is false for what is only reported.
func (l Resource) Removable() bool { return l.Kind != VM && l.Kind != NomadNode }

// Pool is how a pool wants its orphans treated.
type Pool struct {
	// Paused: none of its orphans is removed.
	Paused bool
	// KeepsNodes: Nomad nodes are left to Nomad's own garbage collection.
	KeepsNodes bool
}

// Observed is one observation. The resources were read before the NomadNodes, and these before the VMs. A member's
// NomadNode is made first, so a resource that was read without one has none.
type Observed struct {
	// Now is when.
	Now time.Time
	// Resources are candidates: Nomad nodes that are down in a Nomad that is known and has recovered, claims that aren't
	// being deleted, VMs, and NomadNodes.
	Resources []Resource
	// Pools are those that exist, by UID.
	Pools map[string]Pool
	// Members are those that have a NomadNode.
	Members map[Key]bool
	// NodeIDs are the node IDs of these members.
	NodeIDs map[string]bool
	// VMs are all VMs and instances, owned or external, in the namespaces of the Suspects.
	VMs map[Key]bool
	// Referenced are the Suspects, and their Secrets, that any of these VMs or instances names in any field.
	Referenced map[Key]bool
}
