package nomad

// Keys of a client's meta that say which member a node is. The filter of the lists and the meta of drains have them,
// too.
const (
	MetaPoolUID = "harvester_pool_uid"
	MetaPool    = "harvester_pool"
	MetaMember  = "harvester_node"
)

// TimeoutAction is what becomes of a node's allocations when the time of its drain is over, as the meta of the drain
// records it.
type TimeoutAction string

// The actions.
const (
	// TimeoutForce: Nomad stops them.
	TimeoutForce TimeoutAction = "Force"
	// TimeoutRetain: the drain has no end, and they run on.
	TimeoutRetain TimeoutAction = "Retain"
)
