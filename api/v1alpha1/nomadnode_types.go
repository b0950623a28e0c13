package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NomadNode is the object for one member of a NomadNodePool: its VM, its disks and its node in Nomad, the last two of
// which outlive the VM. Made by the pool; delete one (kubectl delete nn NAME) to have that member drained and removed,
// and replaced if the pool is then short.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=nn,categories=nomad
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Pool",type=string,JSONPath=`.spec.poolName`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="VM",type=string,JSONPath=`.status.vm.status`
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.status.nomad.shortID`
// +kubebuilder:printcolumn:name="Nomad",type=string,JSONPath=`.status.nomad.status`
// +kubebuilder:printcolumn:name="Allocs",type=integer,JSONPath=`.status.nomad.allocations`
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.status.vm.host`,priority=1
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.spec.revision`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NomadNode struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the member is.
	// +required
	Spec NomadNodeSpec `json:"spec"`
	// status is what was found, written by the controller.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status NomadNodeStatus `json:"status,omitempty"`
}

// NomadNodeList is a list of NomadNodes.
//
// +kubebuilder:object:root=true
type NomadNodeList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the list's.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are those of the list.
	// +required
	Items []NomadNode `json:"items"`
}

// What a member was made as is compared as a whole, so that a field that is added one day stays, too; but for
// spec.nomad, of which the address may change: there the fields of NomadClient are named, and a test holds the rule to
// them. Of lists that
// are maps the API server ignores the order, which says which disk is the root disk: hence the third rule. One change
// gets by: an overlay in which fields at the top are exchanged for as many others (seen in Kubernetes 1.33 and 1.35:
// k8s.io/apiserver pkg/cel/common/values.go, unstructuredMap.Equal), because no rule can see fields that the schema
// doesn't name.

// NomadNodeSpec is what a member is. Made by the pool from its own spec: template, client configuration and identity
// stay as they are for the member's life, the rest follows the pool.
//
// +kubebuilder:validation:XValidation:rule="self.poolName == oldSelf.poolName && self.poolUID == oldSelf.poolUID && self.nodeID == oldSelf.nodeID && self.revision == oldSelf.revision",message="spec: poolName, poolUID, nodeID and revision are the member's identity and can't be changed"
// +kubebuilder:validation:XValidation:rule="self.nomad.servers == oldSelf.nomad.servers && (has(self.nomad.nodePool) ? has(oldSelf.nomad.nodePool) && self.nomad.nodePool == oldSelf.nomad.nodePool : !has(oldSelf.nomad.nodePool)) && (has(self.nomad.nodeClass) ? has(oldSelf.nomad.nodeClass) && self.nomad.nodeClass == oldSelf.nomad.nodeClass : !has(oldSelf.nomad.nodeClass)) && (has(self.nomad.datacenter) ? has(oldSelf.nomad.datacenter) && self.nomad.datacenter == oldSelf.nomad.datacenter : !has(oldSelf.nomad.datacenter)) && (has(self.nomad.meta) ? has(oldSelf.nomad.meta) && self.nomad.meta == oldSelf.nomad.meta : !has(oldSelf.nomad.meta)) && (has(self.nomad.reserved) ? has(oldSelf.nomad.reserved) && self.nomad.reserved == oldSelf.nomad.reserved : !has(oldSelf.nomad.reserved)) && (has(self.nomad.install) ? has(oldSelf.nomad.install) && self.nomad.install == oldSelf.nomad.install : !has(oldSelf.nomad.install)) && (has(self.nomad.clientTLSSecretRef) ? has(oldSelf.nomad.clientTLSSecretRef) && self.nomad.clientTLSSecretRef == oldSelf.nomad.clientTLSSecretRef : !has(oldSelf.nomad.clientTLSSecretRef)) && (has(self.nomad.introductionToken) ? has(oldSelf.nomad.introductionToken) && self.nomad.introductionToken == oldSelf.nomad.introductionToken : !has(oldSelf.nomad.introductionToken))",message="spec.nomad: a member stays what it was made as; change spec.nomad of its NomadNodePool, and the member is replaced; only address, region and credentialsSecretRef can be changed here"
// +kubebuilder:validation:XValidation:rule="self.template == oldSelf.template",message="spec.template: a member stays what it was made as; change spec.template of its NomadNodePool, and the member is replaced"
// +kubebuilder:validation:XValidation:rule="!has(self.template.disks) || !has(oldSelf.template.disks) || self.template.disks.map(d, d.name) == oldSelf.template.disks.map(d, d.name)",message="spec.template: a member stays what it was made as; change spec.template of its NomadNodePool, and the member is replaced"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.drain) || has(self.drain) || has(oldSelf.drain.canceled) && oldSelf.drain.canceled",message="spec.drain: a drain request can't be removed, because Nomad would go on with the drain and the node stay ineligible; set spec.drain.canceled to true, which cancels it"
type NomadNodeSpec struct {
	// poolName is the pool that made the member.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	PoolName string `json:"poolName"`
	// poolUID is the UID of that pool.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	PoolUID string `json:"poolUID"`
	// nodeID is the ID of the member's Nomad node, chosen before the VM is made and given to the guest.
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`
	// +required
	NodeID string `json:"nodeID"`
	// revision is the hash of the template that the member was made from. It is the value of a label, too.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Revision string `json:"revision"`

	// nomad is the Nomad cluster that the member is in, how the controller talks to it, and what the member is there.
	// address, region and credentialsSecretRef follow the pool's, unless the member is in another cluster than the pool's;
	// the rest stays as it is.
	// +required
	Nomad NomadSpec `json:"nomad"`
	// formerNomad is where the member's servers led to before the address of its pool was changed without them: the guest
	// may join that Nomad. It is asked for the node too, until that was seen where nomad leads to. Unset: nothing else is
	// to be asked.
	// +optional
	FormerNomad *FormerNomad `json:"formerNomad,omitempty"`
	// template is the member's virtual machine.
	// +required
	Template NodeTemplate `json:"template"`
	// scaleIn is how the member leaves, for whatever reason it does; it follows the pool.
	// +kubebuilder:default={}
	// +optional
	ScaleIn NodeScaleIn `json:"scaleIn,omitempty"`
	// health says how long the member may take to join; it follows the pool.
	// +optional
	Health NodeHealth `json:"health,omitempty"`

	// drain is the drain request: written before anything is done about it, so that a crash anywhere resumes. Unset:
	// the member is wanted.
	// +optional
	Drain *DrainRequest `json:"drain,omitempty"`
}

// NodeScaleIn is how a member leaves: what its pool's spec.scaleIn says of each member.
type NodeScaleIn struct {
	// drain is how the member's allocations are moved away before its VM is deleted.
	// +kubebuilder:default={}
	// +optional
	Drain DrainPolicy `json:"drain,omitempty"`
	// purge removes the member's node from Nomad in the end.
	// +kubebuilder:default=true
	// +optional
	Purge *bool `json:"purge,omitempty"`
}

// NodeHealth is what its pool's spec.health says of each member.
type NodeHealth struct {
	// joinTimeout is how long the member may take to join, from the making of its VM.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="joinTimeout: it is longer than programs can count; use a duration such as 10m"
	// +optional
	JoinTimeout metav1.Duration `json:"joinTimeout,omitzero"`
}

// DrainReason says why a member leaves.
type DrainReason string

// The reasons.
const (
	// DrainScaleIn: the pool has more members than replicas.
	DrainScaleIn DrainReason = "ScaleIn"
	// DrainDeleted: the NomadNode was deleted, by a user or with its pool.
	DrainDeleted DrainReason = "Deleted"
	// DrainVMDeleted: somebody deleted the member's VM.
	DrainVMDeleted DrainReason = "VMDeleted"
	// DrainRollout: the member was made from an older template.
	DrainRollout DrainReason = "Rollout"
	// DrainJoinTimeout: the guest didn't join Nomad within joinTimeout.
	DrainJoinTimeout DrainReason = "JoinTimeout"
	// DrainUnhealthy: the Nomad node was down, or unknown to Nomad, for longer than unhealthyTimeout.
	DrainUnhealthy DrainReason = "Unhealthy"
	// DrainEvacuation: KubeVirt asks to free the host, and the template's evictionStrategy is External.
	DrainEvacuation DrainReason = "Evacuation"
)

// DrainRequest asks a member to leave.
type DrainRequest struct {
	// id marks the drain in Nomad (LastDrain.Meta), so that it is known again after a crash.
	// +kubebuilder:validation:MaxLength=128
	// +required
	ID string `json:"id"`
	// reason is why the member leaves.
	// +kubebuilder:validation:MaxLength=64
	// +required
	Reason DrainReason `json:"reason"`
	// requestTime is when it was asked for.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9-]+T[0-9:]+([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +required
	RequestTime metav1.Time `json:"requestTime"`
	// deadlineTime is when the drain must be done. It is fixed here, because Nomad starts anew on every request to drain.
	// The controller moves it only if nothing could be sent to Nomad in time, and before it sends the drain. Set to
	// requestTime, it ends the drain as soon as Nomad can be asked.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9-]+T[0-9:]+([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +required
	DeadlineTime metav1.Time `json:"deadlineTime"`
	// onlyIf cancels the drain if the member turns out not to be empty once its node is ineligible: Empty, or
	// EmptyIgnoreSystem. A job may have landed after the member was chosen. Unset: the member leaves in any case.
	// +kubebuilder:validation:XValidation:rule="self == 'Empty' || self == 'EmptyIgnoreSystem'",messageExpression="'onlyIf: \"%s\" can not become untrue; use Empty or EmptyIgnoreSystem'.format([self])"
	// +optional
	OnlyIf ScaleInStrategy `json:"onlyIf,omitempty"`
	// canceled being true cancels the drain: the Nomad node is made eligible again, then the drain request is cleared. It
	// comes too late once the member is Drained or its NomadNode is deleted.
	// +optional
	Canceled bool `json:"canceled,omitempty"`
	// canceledTime is when the drain was canceled, or when the controller saw that somebody else had done that. The
	// canceled drain request stays for a while after that, because what was sent for it may still reach Nomad.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9-]+T[0-9:]+([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +optional
	CanceledTime *metav1.Time `json:"canceledTime,omitempty"`
}

// Cancel cancels the drain at the time now.
func (d *DrainRequest) Cancel(now time.Time) {
	d.Canceled, d.CanceledTime = true, &metav1.Time{Time: now}
}

// NodePhase sums up where in its life a member is. For people: programs read the conditions.
//
// +kubebuilder:validation:Enum=Pending;Provisioning;Joining;Ready;Ineligible;Unhealthy;Draining;Drained;Deleting;Purging
type NodePhase string

// The phases.
const (
	NodePending      NodePhase = "Pending"
	NodeProvisioning NodePhase = "Provisioning"
	NodeJoining      NodePhase = "Joining"
	NodePhaseReady   NodePhase = "Ready"
	NodeIneligible   NodePhase = "Ineligible"
	NodeUnhealthy    NodePhase = "Unhealthy"
	NodeDraining     NodePhase = "Draining"
	NodePhaseDrained NodePhase = "Drained"
	NodeDeleting     NodePhase = "Deleting"
	NodePurging      NodePhase = "Purging"
)

// BlockedCause is the kind of thing that is in a member's way, or in the way of a pool that is to grow. The
// conditions say in words what exactly it is.
type BlockedCause string

// The causes. All down to BlockedByFailure keep the member's VM from being made; the last two are a pool's alone.
const (
	// BlockedByTemplate: the template, or what it names, is such that no VM can be made of it.
	BlockedByTemplate BlockedCause = "Template"
	// BlockedByAdmission: Harvester's, KubeVirt's or Kubernetes' admission refuses the VM.
	BlockedByAdmission BlockedCause = "Admission"
	// BlockedByQuota: a quota of the namespace has no capacity for the VM.
	BlockedByQuota BlockedCause = "Quota"
	// BlockedByToken: Nomad gives no introduction token for the guest.
	BlockedByToken BlockedCause = "IntroductionToken"
	// BlockedByName: a VM of the member's name exists that isn't the member's.
	BlockedByName BlockedCause = "NameTaken"
	// BlockedByNodeID: a Nomad node of the member's ID exists that isn't the member's.
	BlockedByNodeID BlockedCause = "NodeIDTaken"
	// BlockedByFailure: making the VM failed, and may have succeeded all the same; or, of a pool, a NomadNode can't be
	// made.
	BlockedByFailure BlockedCause = "CreateFailed"
	// BlockedByCapacity: the VM is there, and no host, or the namespace's quota, has capacity for it to run.
	BlockedByCapacity BlockedCause = "Capacity"
	// BlockedByHalt: the VM is there, and somebody halted it.
	BlockedByHalt BlockedCause = "Halted"
	// BlockedByOtherNode: the guest has registered in Nomad under another ID than the member's, and has work there.
	BlockedByOtherNode BlockedCause = "NodeIDDiffers"
	// BlockedByRemoval: the member is being removed, and something keeps that from getting on.
	BlockedByRemoval BlockedCause = "Removal"
	// BlockedByJoins: so many members in a row didn't join that no more are made until the cause is removed.
	BlockedByJoins BlockedCause = "JoinsFailing"
	// BlockedByPause: spec.paused holds the pool.
	BlockedByPause BlockedCause = "Paused"
)

// DrainResult is how the drain of a member ended. The condition DrainCompleted has it for its reason.
type DrainResult string

// The results.
const (
	// DrainEmpty: no live allocation was left.
	DrainEmpty DrainResult = ReasonEmpty
	// DrainNeverJoined: there was never a Nomad node to drain.
	DrainNeverJoined DrainResult = ReasonNeverJoined
	// DrainVMGone: the VM had gone before, and all that ran on it.
	DrainVMGone DrainResult = ReasonVMGone
	// DrainDeadlinePassed: the deadline passed with onTimeout Force, and what was left is cut off.
	DrainDeadlinePassed DrainResult = ReasonDeadline
)

// NomadNodeStatus is what was found of a member.
type NomadNodeStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of; -1: the controller has not seen the
	// object yet.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// phase sums up where in its life the member is, for people; programs read the conditions. Pending: nothing is made
	// yet, and VMReady says what is missing. Provisioning: Secret and VM are being made, or the VM starts. Joining: the
	// guest runs and hasn't joined Nomad yet. Ready: its Nomad node takes work. Ineligible: the node works, and takes
	// none by somebody else's order, or until a canceled drain is undone. Unhealthy: the node doesn't work, or hasn't
	// joined in time. Draining: the member leaves, and its allocations are waited for. Drained: they are gone, and
	// something keeps its VM. Deleting: the VM is being deleted. Purging: the VM is gone, and what is left is removed.
	// +optional
	Phase NodePhase `json:"phase,omitempty"`
	// claims are the disks' PersistentVolumeClaims, recorded once the VM is there.
	// +listType=atomic
	// +optional
	Claims []string `json:"claims,omitempty"`
	// joinedTime is when the Nomad node was first seen ready.
	// +optional
	JoinedTime *metav1.Time `json:"joinedTime,omitempty"`
	// hasIntroductionToken is true while the member's cloud-init Secret holds a Nomad client introduction token. It is
	// taken out once the member has joined.
	// +optional
	HasIntroductionToken bool `json:"hasIntroductionToken,omitempty"`
	// unhealthyTime is since when the member, having joined, has been found not to work: its Nomad node is down,
	// disconnected or gone. Unset: it works, or that can't be told.
	// +optional
	UnhealthyTime *metav1.Time `json:"unhealthyTime,omitempty"`
	// cordonedDrain is the id of the drain for which the Nomad node was made ineligible. When a drain is canceled,
	// only a node that was made ineligible for it becomes eligible again: what an operator did before stays. It can't be
	// found out from what is there: without it such a node stays ineligible until somebody makes it eligible.
	// +optional
	CordonedDrain string `json:"cordonedDrain,omitempty"`
	// resentDrain is the id of the drain that was sent to Nomad a second time, because it had stalled. It can't be found
	// out from what is there: without it the drain may be sent once more, with what is left of its deadline.
	// +optional
	ResentDrain string `json:"resentDrain,omitempty"`
	// blockedBy is the kind of thing that keeps the member from being made, from running or from going; the condition
	// VMReady, or Joined, says what it is: Template, Admission, Quota, IntroductionToken, NameTaken, NodeIDTaken,
	// CreateFailed, Capacity, Halted, NodeIDDiffers or Removal. Unset: nothing is in its way.
	// +optional
	BlockedBy BlockedCause `json:"blockedBy,omitempty"`
	// drainResult is how the drain ended: Empty, NeverJoined, VMGone or DeadlinePassed. Unset: the member isn't drained.
	// +optional
	DrainResult DrainResult `json:"drainResult,omitempty"`
	// deletedByController is true if nobody had asked for the NomadNode's deletion when the member was drained: then the
	// controller itself deletes it, and that is nobody's wish.
	// +optional
	DeletedByController bool `json:"deletedByController,omitempty"`
	// vm is the member's virtual machine.
	// +optional
	VM VMStatus `json:"vm,omitempty"`
	// nomad is the member's node in Nomad.
	// +optional
	Nomad NomadStatus `json:"nomad,omitempty"`
	// conditions are Ready, VMReady, Joined, DrainCompleted, Stalled.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// VMStatus is what was found of a member's virtual machine, which has the member's name.
type VMStatus struct {
	// uid of the VM; empty while there is none.
	// +optional
	UID string `json:"uid,omitempty"`
	// creationTime is when the VM was made; joinTimeout counts from there, or from capacityAvailableTime if that is later.
	// +optional
	CreationTime *metav1.Time `json:"creationTime,omitempty"`
	// capacityAvailableTime is when there was room for the VM at last, on a host and within its namespace's quota, after
	// there had been none, or when it was started again that somebody had halted before it joined. Unset: it never
	// lacked any, nor was halted.
	// +optional
	CapacityAvailableTime *metav1.Time `json:"capacityAvailableTime,omitempty"`
	// status as KubeVirt and Harvester's UI show it, such as Running.
	// +optional
	Status string `json:"status,omitempty"`
	// host is the Harvester host that the VM runs on.
	// +optional
	Host string `json:"host,omitempty"`
	// address is the guest's address, known only with qemu-guest-agent.
	// +optional
	Address string `json:"address,omitempty"`
}

// NomadStatus is what was found of a member's Nomad node.
type NomadStatus struct {
	// shortID is the start of the node's ID, as nomad node status shows it; empty until it has registered.
	// +optional
	ShortID string `json:"shortID,omitempty"`
	// cluster is where Nomad was asked when the node was seen in it last: the address, and the region if one is set. A
	// Nomad elsewhere that doesn't know the node says nothing about it.
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// status is ready, ineligible, draining, down, disconnected or initializing; empty until it has registered.
	// +optional
	Status string `json:"status,omitempty"`
	// idTaken is true if a Nomad node of the member's ID exists that isn't the member's; nothing is done to it.
	// +optional
	IDTaken bool `json:"idTaken,omitempty"`
	// certificateExpirationTime is when the client certificate ends that the guest was given when it was made
	// (spec.nomad.clientTLSSecretRef). It can't be found out later, for the Secret may hold another by then. Unset: the
	// guest was given none.
	// +optional
	CertificateExpirationTime *metav1.Time `json:"certificateExpirationTime,omitempty"`
	// allocations is how many live allocations the node has; only while it leaves.
	// +optional
	Allocations *int32 `json:"allocations,omitempty"`
	// stopTime is the longest that the jobs of these were seen to promise them for stopping (shutdown_delay and
	// kill_timeout); only while the member leaves. After the drain deadline they get that, and at least 40 s and at most
	// 30 minutes, before the VM goes.
	// +optional
	StopTime *metav1.Duration `json:"stopTime,omitempty"`
	// onlySystemTime is since when the allocations of system jobs alone have been left on a node that drains: Nomad
	// stops them then, and may miss that moment. Unset: others are left too, or none.
	// +optional
	OnlySystemTime *metav1.Time `json:"onlySystemTime,omitempty"`
	// forcedTime is since when the allocations that are left after the drain deadline have their time to stop, with
	// onTimeout Force: the deadline, or when the drain was sent or ended if that was later. It is written once, and what
	// Nomad reports later doesn't move the end of the drain. Unset: the deadline hasn't passed, or nothing is forced.
	// +optional
	ForcedTime *metav1.Time `json:"forcedTime,omitempty"`
	// blocking names some of the allocations that the drain waits for.
	// +listType=atomic
	// +optional
	Blocking []string `json:"blocking,omitempty"`
}
