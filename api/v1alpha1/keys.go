package v1alpha1

// Labels and annotations. Membership of a VM is never decided by a label alone: Harvester's "Clone" copies labels and
// "Generate template" copies labels and annotations, so a VM is a member only if PoolLabel, MemberAnnotation (naming
// this very VM) and PoolUIDAnnotation all agree with its NomadNode.
const (
	// PoolLabel names the pool; on NomadNodes, VMs, their instances, Secrets and claims.
	PoolLabel = "nomad.harvesterhci.io/pool"
	// NodeLabel names the NomadNode; on Secrets and claims, whose own names differ from it.
	NodeLabel = "nomad.harvesterhci.io/node"
	// RevisionLabel is the template revision that a member was made from; on NomadNodes and VMs.
	RevisionLabel = "nomad.harvesterhci.io/revision"

	// PoolUIDAnnotation is the UID of the pool, so that a pool of the same name made later never takes the VM for its own.
	PoolUIDAnnotation = "nomad.harvesterhci.io/pool-uid"
	// MemberAnnotation is the VM's own name; a copy of the VM carries another one's name and so is no member.
	MemberAnnotation = "nomad.harvesterhci.io/member"
	// NodeIDAnnotation is the Nomad node ID of the VM's guest.
	NodeIDAnnotation = "nomad.harvesterhci.io/node-id"
	// IntroductionTimeAnnotation on a member's cloud-init Secret is when the introduction token in it was made.
	IntroductionTimeAnnotation = "nomad.harvesterhci.io/introduction-time"
	// CertificateExpirationTimeAnnotation on a member's cloud-init Secret is when the client certificate in it ends.
	CertificateExpirationTimeAnnotation = "nomad.harvesterhci.io/certificate-expiration-time"

	// DeleteNextAnnotation on a NomadNode makes it the first to go when the pool shrinks. Any value.
	DeleteNextAnnotation = "nomad.harvesterhci.io/delete-next"
	// ProtectAnnotation on a NomadNode keeps the pool from letting it go: when the pool shrinks, in a rollout, when it
	// doesn't join and when it no longer works. It doesn't keep it from being deleted, nor, with evictionStrategy
	// External, from leaving a host that is to be freed. Any value.
	ProtectAnnotation = "nomad.harvesterhci.io/protect"
	// AllowDeleteAnnotation on a VM, its instance or a namespace lets a DELETE of it through the admission policies. Any
	// value.
	AllowDeleteAnnotation = "nomad.harvesterhci.io/allow-delete"
	// RetryJoinsAnnotation on a NomadNodePool, when its value changes, has the pool make members again after too many in a
	// row didn't join. Any value; a date is a good one.
	RetryJoinsAnnotation = "nomad.harvesterhci.io/retry-joins"
	// ShareCloudInitAnnotation of a VirtualMachineTemplate names the namespaces, separated by commas, whose pools may
	// have the cloud-init Secrets of its versions; "*": all. Pools of its own namespace always may.
	ShareCloudInitAnnotation = "nomad.harvesterhci.io/share-cloud-init"

	// NodeFinalizer keeps a NomadNode until its Nomad node is drained and purged and its VM, disks and Secret are gone.
	NodeFinalizer = "nomad.harvesterhci.io/node"
)

// AutoscalerFieldManager begins the field manager under which the autoscaler plugin sets a pool's replicas. A slash
// and the ID of the policy that asked follow, so that the API server itself records who scaled a pool, and the plugin
// needs no right but that to scale.
const AutoscalerFieldManager = "nomad-autoscaler"

// Keys of the Nomad client's meta that say which member a Nomad node is. No dots: Nomad's filter language can't select
// a dotted key (Nomad: go-bexpr selectors).
const (
	// MetaPoolUID is the UID of the NomadNodePool.
	MetaPoolUID = "harvester_pool_uid"
	// MetaPool is the pool as namespace/name.
	MetaPool = "harvester_pool"
	// MetaNode is the member's name, which is the name of its VM.
	MetaNode = "harvester_node"
)
