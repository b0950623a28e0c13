package v1alpha1

// Conditions of a NomadNodePool. All of them are always present. "Good" is the status of a healthy, steady pool.
const (
	// PoolReady (good: True) sums up: as many ready members as replicas, nothing on its way, nothing wrong.
	PoolReady = "Ready"
	// PoolScalingOut (good: False): members are being made or are joining.
	PoolScalingOut = "ScalingOut"
	// PoolScalingIn (good: False): members are draining or being removed.
	PoolScalingIn = "ScalingIn"
	// PoolUpToDate (good: True): every member was made from the pool's present template.
	PoolUpToDate = "UpToDate"
	// PoolNomadReachable (good: True): Nomad answers, and the token may see what must be seen before a VM is stopped.
	PoolNomadReachable = "NomadReachable"
	// PoolJoinsHealthy (good: True): members made from the template do join Nomad.
	PoolJoinsHealthy = "JoinsHealthy"
	// PoolTemplateValid (good: True): everything the template names exists, and admission accepted its last VM.
	PoolTemplateValid = "TemplateValid"
	// PoolPaused (good: False): spec.paused holds the pool as it is.
	PoolPaused = "Paused"
	// PoolStalled (good: False): the pool gets no further until a person acts. Its reason and message are those of the
	// condition that explains it. kstatus calls such an object failed, and Rancher shows it as an error.
	PoolStalled = "Stalled"
)

// PoolConditions lists the conditions of a NomadNodePool in the order in which they are shown.
var PoolConditions = []string{
	PoolReady, PoolScalingOut, PoolScalingIn, PoolUpToDate, PoolNomadReachable, PoolJoinsHealthy, PoolTemplateValid,
	PoolPaused,
	PoolStalled,
}

// Conditions of a NomadNode. All of them are always present.
const (
	// NodeReady (good: True): the Nomad node is ready and eligible.
	NodeReady = "Ready"
	// NodeVMReady (good: True): the VM exists and runs.
	NodeVMReady = "VMReady"
	// NodeJoined (good: True): the guest has joined Nomad under the ID that was given to it.
	NodeJoined = "Joined"
	// NodeDrainCompleted is False while the member is wanted, and True once no allocation is left on a node that leaves.
	// From here on the drain can't be canceled; only if its node gets work once more before its VM is deleted, it drains
	// again.
	NodeDrainCompleted = "DrainCompleted"
	// NodeStalled (good: False): the member gets no further until a person acts. Its reason and message are those of
	// VMReady.
	NodeStalled = "Stalled"
)

// NodeConditions lists the conditions of a NomadNode in the order in which they are shown.
var NodeConditions = []string{NodeReady, NodeVMReady, NodeJoined, NodeDrainCompleted, NodeStalled}

// Reasons of conditions. They are API: scripts and alerts may depend on them.
const (
	// ReasonAsExpected: nothing to do.
	ReasonAsExpected = "AsExpected"
	// ReasonUnknown: not observed yet.
	ReasonUnknown = "Unknown"

	// Pool.

	// ReasonMembersMissing: fewer members than replicas, and fewer ready ones.
	ReasonMembersMissing = "MembersMissing"
	// ReasonMembersNotReady: as many members as replicas, and fewer ready ones.
	ReasonMembersNotReady = "MembersNotReady"
	// ReasonMembersDraining: more members exist than replicas; the surplus is leaving.
	ReasonMembersDraining = "MembersDraining"
	// ReasonCreating: members are being made.
	ReasonCreating = "Creating"
	// ReasonJoining: VMs exist, their guests have not joined Nomad yet.
	ReasonJoining = "Joining"
	// ReasonCreateFailed: the last member could not be made; the message is the API server's, word for word.
	ReasonCreateFailed = "CreateFailed"
	// ReasonDraining: members are draining or being removed.
	ReasonDraining = "Draining"
	// ReasonDrainUndone: Nomad accepts that the node is made ineligible or drained, but doesn't show it.
	ReasonDrainUndone = "DrainUndone"
	// ReasonAllProtected: fewer members may be chosen than should leave.
	ReasonAllProtected = "AllProtected"
	// ReasonServersElsewhere: spec.nomad.servers and spec.nomad.address lead to different Nomads.
	ReasonServersElsewhere = "ServersElsewhere"
	// ReasonStabilizationWindow: the scale-in waits for scaleIn.stabilizationWindow.
	ReasonStabilizationWindow = "StabilizationWindow"
	// ReasonMaxConcurrent: further members wait for scaleIn.maxConcurrent.
	ReasonMaxConcurrent = "MaxConcurrent"
	// ReasonNomadUnknown: held because Nomad can't be asked; unknown is not down.
	ReasonNomadUnknown = "NomadUnknown"
	// ReasonPaused: held by spec.paused.
	ReasonPaused = "Paused"
	// ReasonReachable: Nomad answers.
	ReasonReachable = "Reachable"
	// ReasonUnreachable: Nomad doesn't answer.
	ReasonUnreachable = "Unreachable"
	// ReasonTooManyNodes: so many nodes of Nomad claim to be members that the controller doesn't read them.
	ReasonTooManyNodes = "TooManyNodes"
	// ReasonTooManyConnections: the pools of the namespace use as many connections to Nomad as one namespace may.
	ReasonTooManyConnections = "TooManyConnections"
	// ReasonCredentials: the Secret with the token or certificates is missing or unusable, Nomad refuses the token, or
	// there is no TLS connection because of a certificate of either side or of the address's scheme.
	ReasonCredentials = "CredentialsInvalid"
	// ReasonAddressRefused: the address of Nomad leads to what isn't dialled, for pools or for anybody.
	ReasonAddressRefused = "AddressRefused"
	// ReasonLoginRefused: the controller can't log in to Nomad with its ServiceAccount's token.
	ReasonLoginRefused = "LoginRefused"
	// ReasonTokenLacksReadJob: allocations of some namespaces are invisible to the token, so that busy nodes look empty.
	ReasonTokenLacksReadJob = "TokenLacksReadJob"
	// ReasonTokenLacksNodeWrite: the token may not drain nodes.
	ReasonTokenLacksNodeWrite = "TokenLacksNodeWrite"
	// ReasonMisplaced: the guest has registered in another node pool, datacenter or node class than its pool asks for.
	ReasonMisplaced = "Misplaced"
	// ReasonNameShared: another client in Nomad has the member's name.
	ReasonNameShared = "NameShared"
	// ReasonJoinTimeouts: members did not join within health.joinTimeout.
	ReasonJoinTimeouts = "JoinTimeouts"
	// ReasonJoinsFailing: so many members in a row did not join that no more are made until the cause is removed.
	ReasonJoinsFailing = "JoinsFailing"
	// ReasonBackOff: the next member waits because the last ones didn't join.
	ReasonBackOff = "BackOff"
	// ReasonRollingOut: members of an older template are being replaced.
	ReasonRollingOut = "RollingOut"
	// ReasonOnDelete: members of an older template stay until they are deleted.
	ReasonOnDelete = "OnDelete"
	// ReasonRepairing: unhealthy members are being replaced.
	ReasonRepairing = "Repairing"
	// ReasonTooManyUnhealthy: more members than health.maxUnhealthy are unhealthy, so none is replaced.
	ReasonTooManyUnhealthy = "TooManyUnhealthy"
	// ReasonUpgradeRunning: nobody is replaced while Harvester is being upgraded.
	ReasonUpgradeRunning = "UpgradeRunning"
	// ReasonHostMaintenance: nobody is replaced whose host is in maintenance.
	ReasonHostMaintenance = "HostMaintenance"
	// ReasonNomadRecovering: Nomad has just come back or changed its leader.
	ReasonNomadRecovering = "NomadRecovering"

	// Template: what the pre-flight found, or what admission said.

	// ReasonImageNotFound: a disk names a VirtualMachineImage that doesn't exist.
	ReasonImageNotFound = "ImageNotFound"
	// ReasonImageNotReady: an image is not imported yet, or has no storage class yet.
	ReasonImageNotReady = "ImageNotReady"
	// ReasonImageFailed: the import of an image has failed for good, or its backing image is missing.
	ReasonImageFailed = "ImageFailed"
	// ReasonDiskTooSmall: a disk is smaller than its image.
	ReasonDiskTooSmall = "DiskTooSmall"
	// ReasonStorageClassNotFound: a disk names a storage class that doesn't exist.
	ReasonStorageClassNotFound = "StorageClassNotFound"
	// ReasonNetworkNotFound: a NetworkAttachmentDefinition doesn't exist.
	ReasonNetworkNotFound = "NetworkNotFound"
	// ReasonNetworkNotReady: a NetworkAttachmentDefinition isn't ready.
	ReasonNetworkNotReady = "NetworkNotReady"
	// ReasonKeyPairNotFound: an SSH key pair doesn't exist.
	ReasonKeyPairNotFound = "KeyPairNotFound"
	// ReasonSecretNotFound: a Secret, or a key in it, doesn't exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonTemplateNotFound: the Harvester template named in template.from doesn't exist.
	ReasonTemplateNotFound = "TemplateNotFound"
	// ReasonCertificateExpires: the certificate that members were given ends soon.
	ReasonCertificateExpires = "CertificateExpires"
	// ReasonCertificateNotYetValid: the members' certificate is one for later.
	ReasonCertificateNotYetValid = "CertificateNotYetValid"
	// ReasonTemplateInvalid: the template can't be rendered.
	ReasonTemplateInvalid = "TemplateInvalid"
	// ReasonAdmissionDenied: Harvester's, KubeVirt's or Kubernetes' admission refused the VM, or the API server its
	// maker's rights; the message is theirs.
	ReasonAdmissionDenied = "AdmissionDenied"
	// ReasonQuotaExceeded: a quota is in the way; the message is the server's.
	ReasonQuotaExceeded = "QuotaExceeded"

	// Node.

	// ReasonProvisioning: Secret, disks and VM are being made.
	ReasonProvisioning = "Provisioning"
	// ReasonIntroductionToken: Nomad gives no introduction token for the guest.
	ReasonIntroductionToken = "IntroductionTokenMissing"
	// ReasonVMStarting: the VM exists and doesn't run yet.
	ReasonVMStarting = "VMStarting"
	// ReasonVMRunning: the VM runs.
	ReasonVMRunning = "VMRunning"
	// ReasonVMStopped: the VM is halted; somebody or something stopped it.
	ReasonVMStopped = "VMStopped"
	// ReasonVMFailed: the VM can't run; the message is KubeVirt's.
	ReasonVMFailed = "VMFailed"
	// ReasonVMUnschedulable: the cluster has no capacity for the VM, or no host that it may run on; the message is the
	// scheduler's.
	ReasonVMUnschedulable = "VMUnschedulable"
	// ReasonVMAboveQuota: Harvester has halted the VM, or doesn't start it, because it is above its namespace's quota; the
	// message is Harvester's (Harvester: annotation harvesterhci.io/insufficient-resource-quota).
	ReasonVMAboveQuota = "VMAboveQuota"
	// ReasonVMGone: the VM is gone.
	ReasonVMGone = "VMGone"
	// ReasonVMDeletedByOthers: the VM is being deleted, and not by the controller.
	ReasonVMDeletedByOthers = "VMDeletedByOthers"
	// ReasonVMNameTaken: a VM of the member's name exists that is not the member's.
	ReasonVMNameTaken = "VMNameTaken"
	// ReasonJoined: the guest has joined Nomad.
	ReasonJoined = "Joined"
	// ReasonNodeIDTaken: a Nomad node of the member's ID exists that isn't the member's; nothing is done to it.
	ReasonNodeIDTaken = "NodeIDTaken"
	// ReasonNodeIDDiffers: the guest has registered in Nomad under another ID than the member's.
	ReasonNodeIDDiffers = "NodeIDDiffers"
	// ReasonJoinTimeout: the guest didn't join Nomad within joinTimeout.
	ReasonJoinTimeout = "JoinTimeout"
	// ReasonNodeReady: the Nomad node is ready and eligible.
	ReasonNodeReady = "NodeReady"
	// ReasonNodeDown: the Nomad node is down or disconnected.
	ReasonNodeDown = "NodeDown"
	// ReasonNodeMetaChanged: somebody took the keys by which the Nomad node is found out of its meta.
	ReasonNodeMetaChanged = "NodeMetaChanged"
	// ReasonCancelingDrain: the drain was canceled, and what was done for it is being undone in Nomad.
	ReasonCancelingDrain = "CancelingDrain"
	// ReasonIneligible: the Nomad node is ineligible, or drained, by somebody else's order.
	ReasonIneligible = "Ineligible"
	// ReasonWaitingForAllocations: allocations still live on the node.
	ReasonWaitingForAllocations = "WaitingForAllocations"
	// ReasonNoDrainRequested: the member is wanted.
	ReasonNoDrainRequested = "NoDrainRequested"
	// ReasonEmpty: no live allocation is left.
	ReasonEmpty = "Empty"
	// ReasonNeverJoined: there was never a Nomad node to drain.
	ReasonNeverJoined = "NeverJoined"
	// ReasonDeadline: the drain deadline passed with onTimeout Force.
	ReasonDeadline = "DeadlinePassed"
	// ReasonRetained: the drain deadline passed with onTimeout Retain; the VM is kept.
	ReasonRetained = "DeadlineRetained"
	// ReasonRemoving: VM, Nomad node, disks and Secret are being removed.
	ReasonRemoving = "Removing"
	// ReasonDeleteStuck: the VM doesn't go away; the message names what keeps it.
	ReasonDeleteStuck = "DeleteStuck"
)
