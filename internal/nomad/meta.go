package nomad

// Keys of a client's meta that identify the member. The filter of the lists and the meta of drains use them, too.
const (
	MetaPoolUID = "harvester_pool_uid"
	MetaPool    = "harvester_pool"
	MetaMember  = "harvester_node"
)

// TimeoutAction is what happens to a node's allocations when the deadline of its drain has passed. The meta of the
// drain holds it.
type TimeoutAction string

// The actions.
const (
	// TimeoutForce: Nomad stops them.
	TimeoutForce TimeoutAction = "Force"
	// TimeoutRetain: the drain has no end, and they run on.
	TimeoutRetain TimeoutAction = "Retain"
)
