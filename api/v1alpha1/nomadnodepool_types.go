package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// NomadNodePool declares how many Nomad clients there should be, and what each of them is: a virtual machine on
// Harvester that joins a Nomad cluster. The controller makes, drains, repairs and removes them. Change spec.replicas
// (kubectl scale, GitOps, or the Nomad Autoscaler through the nomad-harvester plugin) to scale it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=nnp,categories=nomad
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Joining",type=integer,JSONPath=`.status.joiningReplicas`
// +kubebuilder:printcolumn:name="Draining",type=integer,JSONPath=`.status.drainingReplicas`
// +kubebuilder:printcolumn:name="Updated",type=integer,JSONPath=`.status.updatedReplicas`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40",messageExpression="'metadata.name: \"%s\" has %d characters; use at most 40, because members are named <pool>-<suffix> and that name is a hostname'.format([self.metadata.name, size(self.metadata.name)])"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'metadata.name: \"%s\" does not make a hostname; use lower-case letters, digits and dashes, beginning with a letter'.format([self.metadata.name])"
type NomadNodePool struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is wanted.
	// +required
	Spec NomadNodePoolSpec `json:"spec"`
	// status is what was found, written by the controller.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status NomadNodePoolStatus `json:"status,omitempty"`
}

// DesiredReplicas is spec.replicas or, while that isn't set, what the controller fills in: the number before or, in a
// new pool, minReplicas, or 1 if that isn't set either; within the bounds.
func (p *NomadNodePool) DesiredReplicas() int32 {
	if p.Spec.Replicas != nil {
		return *p.Spec.Replicas
	}
	n := int32(1)
	switch {
	case p.Status.LastScale != nil:
		n = p.Status.LastScale.To
	case p.Spec.MinReplicas != nil:
		n = *p.Spec.MinReplicas
	}
	if least := p.Spec.MinReplicas; least != nil {
		n = max(n, *least)
	}
	if most := p.Spec.MaxReplicas; most != nil {
		n = min(n, *most)
	}
	return n
}

// NomadNodePoolList is a list of NomadNodePools.
//
// +kubebuilder:object:root=true
type NomadNodePoolList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the list's.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are those of the list.
	// +required
	Items []NomadNodePool `json:"items"`
}

// NomadNodePoolSpec is what is wanted of a pool.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",messageExpression="'spec.minReplicas: %d is more than spec.maxReplicas %d; lower minReplicas or raise maxReplicas'.format([self.minReplicas, self.maxReplicas])"
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || !has(self.replicas) || self.replicas >= self.minReplicas",messageExpression="'spec.replicas: %d is less than spec.minReplicas %d; ask for at least that many or lower minReplicas'.format([self.replicas, self.minReplicas])"
// +kubebuilder:validation:XValidation:rule="!has(self.maxReplicas) || !has(self.replicas) || self.replicas <= self.maxReplicas",messageExpression="'spec.replicas: %d is more than spec.maxReplicas %d; ask for at most that many or raise maxReplicas'.format([self.replicas, self.maxReplicas])"
// +kubebuilder:validation:XValidation:rule="!has(self.template.cloudInit) || !has(self.template.cloudInit.userData) || size(bytes(self.template.cloudInit.userData)) <= 16384",fieldPath=".template.cloudInit.userData",message="userData: it has more than 16384 bytes, which the controller would hold of each pool; put it into a Secret and name that in userDataSecretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.template.cloudInit) || !has(self.template.cloudInit.networkData) || size(bytes(self.template.cloudInit.networkData)) <= 16384",fieldPath=".template.cloudInit.networkData",message="networkData: it has more than 16384 bytes, which the controller would hold of each pool; put it into a Secret and name that in networkDataSecretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.template.labels) || self.template.labels.map(k, size(k) + size(self.template.labels[k])).sum() <= 4096",fieldPath=".template.labels",message="labels: their keys and values have more than 4096 characters together; shorten them or have fewer"
// +kubebuilder:validation:XValidation:rule="!has(self.template.annotations) || self.template.annotations.map(k, size(k) + size(self.template.annotations[k])).sum() <= 4096",fieldPath=".template.annotations",message="annotations: their keys and values have more than 4096 characters together; shorten them or have fewer"
// +kubebuilder:validation:XValidation:rule="!has(self.nomad.meta) || self.nomad.meta.map(k, size(k) + size(self.nomad.meta[k])).sum() <= 4096",fieldPath=".nomad.meta",message="meta: its keys and values have more than 4096 characters together; shorten them or have fewer"
type NomadNodePoolSpec struct {
	// replicas is how many Nomad clients the pool should have. Members that drain or are being removed don't count.
	// Leave it out of what you declare if an autoscaler is to decide: a new pool then begins with minReplicas, which may
	// be 0, or with 1 if that is unset, and one that had replicas keeps its number. The controller fills it in.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// minReplicas is the least that replicas may be set to; unset: 0. It holds for everybody, the autoscaler included. A
	// new pool without replicas begins with it.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// maxReplicas is the most that replicas may be set to; unset: 1000. It holds for everybody, the autoscaler included.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`

	// paused holds the pool as it is: no member is made, chosen to leave or replaced. Members that are already leaving
	// finish, and deleting the pool works.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// nomad says which Nomad cluster the members join and how the controller talks to it.
	// +required
	Nomad NomadSpec `json:"nomad"`

	// template is the virtual machine of a member. A change of it makes a new revision: existing members are replaced,
	// never edited.
	// +required
	Template NodeTemplate `json:"template"`

	// scaleIn says how members leave when replicas goes down.
	// +kubebuilder:default={}
	// +optional
	ScaleIn ScaleInSpec `json:"scaleIn,omitempty"`

	// rollout says how members are replaced when the template changes, when somebody asks for it, or for their age.
	// +kubebuilder:default={}
	// +optional
	Rollout RolloutSpec `json:"rollout,omitempty"`

	// health says when a member is replaced because it doesn't join, or no longer works.
	// +kubebuilder:default={}
	// +optional
	Health HealthSpec `json:"health,omitempty"`
}

// ScaleInStrategy names the way in which members are chosen to leave. The names and meanings are the Nomad
// Autoscaler's node selector strategies.
//
// +kubebuilder:validation:Enum=LeastBusy;NewestCreateIndex;OldestCreateIndex;Empty;EmptyIgnoreSystem
type ScaleInStrategy string

// The strategies.
const (
	LeastBusy         ScaleInStrategy = "LeastBusy"
	NewestCreateIndex ScaleInStrategy = "NewestCreateIndex"
	OldestCreateIndex ScaleInStrategy = "OldestCreateIndex"
	Empty             ScaleInStrategy = "Empty"
	EmptyIgnoreSystem ScaleInStrategy = "EmptyIgnoreSystem"
)

// ScaleInSpec says how members leave.
type ScaleInSpec struct {
	// strategy chooses who leaves, among the members that are ready: LeastBusy (least CPU and memory allocated),
	// NewestCreateIndex, OldestCreateIndex, Empty (only members without allocations), EmptyIgnoreSystem (the same, but
	// system jobs don't count). Before them leave those with the annotation delete-next, then those that never joined, or
	// are broken.
	// The default is LeastBusy.
	// +kubebuilder:default=LeastBusy
	// +optional
	Strategy ScaleInStrategy `json:"strategy,omitempty"`

	// drain says how a member's allocations are moved away before its VM is deleted.
	// +kubebuilder:default={}
	// +optional
	Drain DrainPolicy `json:"drain,omitempty"`

	// maxConcurrent is how many members may be leaving at the same time; unset: no limit.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	MaxConcurrent *int32 `json:"maxConcurrent,omitempty"`

	// stabilizationWindow is how long the pool waits after the last change of replicas before members leave as surplus,
	// so that a value that jumps up and down drains nobody. If replicas went down, a rollout waits as well.
	// A Go duration such as 2m; unset: no wait.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="stabilizationWindow: it is longer than programs can count; use a duration such as 2m"
	// +optional
	StabilizationWindow *metav1.Duration `json:"stabilizationWindow,omitempty"`

	// purge removes a member's node from Nomad once its VM is gone. false leaves it there as "down" until Nomad's own
	// garbage collection. Either way Nomad keeps the node's dynamic host volumes, whose disks are gone, unless its client
	// is configured with gc_volumes_on_node_gc.
	// The default is true.
	// +kubebuilder:default=true
	// +optional
	Purge *bool `json:"purge,omitempty"`
}

// DrainTimeoutAction says what happens when a drain is not done by its deadline.
//
// +kubebuilder:validation:Enum=Force;Retain
type DrainTimeoutAction string

// The actions.
const (
	// DrainForce stops what is left and deletes the VM.
	DrainForce DrainTimeoutAction = "Force"
	// DrainRetain keeps the VM, ineligible, and lets what is left on it run to its end.
	DrainRetain DrainTimeoutAction = "Retain"
)

// DrainPolicy says how a member's allocations are moved away.
type DrainPolicy struct {
	// deadline is how long allocations get to move or, for batch jobs, to end; a Go duration such as 15m or 1h30m. It is
	// for drain requests that come later: one that was made has its own, in spec.drain.deadlineTime of the NomadNode.
	// The default is 15m.
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^-?([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="deadline: it is longer than programs can count; use a duration such as 15m",messageExpression="'deadline: \"%s\" is not longer than 0s; Nomad would read 0s as no deadline at all and a negative one as stop everything now; use a duration such as 15m'.format([self])"
	// +optional
	Deadline metav1.Duration `json:"deadline,omitzero"`

	// ignoreSystemJobs leaves allocations of system jobs running until the VM is deleted.
	// +optional
	IgnoreSystemJobs bool `json:"ignoreSystemJobs,omitempty"`

	// onTimeout says what happens to allocations that are still there at the deadline: Force stops them and removes the
	// member, Retain keeps the member, ineligible, until they have ended.
	// The default is Force.
	// +kubebuilder:default=Force
	// +optional
	OnTimeout DrainTimeoutAction `json:"onTimeout,omitempty"`
}

// RolloutType names the way in which members of an older template are replaced.
//
// +kubebuilder:validation:Enum=RollingUpdate;OnDelete
type RolloutType string

// The types.
const (
	// RollingUpdate replaces them by and by.
	RollingUpdate RolloutType = "RollingUpdate"
	// OnDelete leaves them until somebody deletes their NomadNodes, or the pool shrinks.
	OnDelete RolloutType = "OnDelete"
)

// RolloutSpec says how members are replaced when the template changes, when somebody asks for it, or for their age.
// Each is drained before it goes, as in a scale-in.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maxSurge) || !(self.maxSurge == 0 || self.maxSurge == '0%') || has(self.maxUnavailable) && !(self.maxUnavailable == 0 || self.maxUnavailable == '0%')",message="spec.rollout: maxSurge and maxUnavailable are both 0, so that no member could ever be replaced; set one of them to at least 1"
type RolloutSpec struct {
	// type is RollingUpdate (replace outdated members by and by) or OnDelete (leave them until their NomadNodes are
	// deleted).
	// The default is RollingUpdate.
	// +kubebuilder:default=RollingUpdate
	// +optional
	Type RolloutType `json:"type,omitempty"`

	// maxSurge is how many members more than replicas there may be during a rollout, as a number or as a share of replicas
	// such as 25% (rounded up). Members that are leaving don't count.
	// The default is 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern="^(100|[0-9]{1,2})%$"
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0 && self <= 1000",messageExpression="'maxSurge: %s is %s; use a number of members such as 1, or a share such as 25%%'.format([self, int(self) < 0 ? 'negative' : 'more than the 1000 members that a pool can have'])"
	// +optional
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`

	// maxUnavailable is how many members fewer than replicas may be ready during a rollout, as a number or as a share of
	// replicas such as 25% (rounded down). With 0, an old member drains only when a new one is ready.
	// The default is 0.
	// +kubebuilder:default=0
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern="^(100|[0-9]{1,2})%$"
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0 && self <= 1000",messageExpression="'maxUnavailable: %s is %s; use a number of members such as 1, or a share such as 25%%'.format([self, int(self) < 0 ? 'negative' : 'more than the 1000 members that a pool can have'])"
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// minReadySeconds is how long a new member must have been ready before the rollout counts on it.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`

	// restartedAt has members that were made before this time replaced as if the template had changed; a time such as
	// 2026-03-01T12:00:00Z. One that lies ahead is waited for; unset: nobody is replaced for it.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9-]+T[0-9:]+([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	// +optional
	RestartedAt *metav1.Time `json:"restartedAt,omitempty"`

	// maxAge is how old a member may become before it is replaced as if the template had changed; a Go duration of at
	// least 1h, such as 720h; unset: as old as may be.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^-?([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h')",message="maxAge: it is longer than programs can count; use a duration such as 720h",messageExpression="'maxAge: \"%s\" is shorter than 1h, and members would be replaced all the time; use a duration such as 720h'.format([self])"
	// +optional
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
}

// HealthSpec says when a member is replaced because it doesn't join, or no longer works. While Nomad can't be asked, or
// has just come back, nobody is replaced.
type HealthSpec struct {
	// joinTimeout is how long a member may take from the making of its VM to being ready in Nomad; a Go duration. A
	// member that takes longer is replaced after a pause. When three in a row have failed, the pool stops making and
	// replacing members, so that the last one that failed is kept, to be looked at: see the condition JoinsHealthy.
	// The default is 10m.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^-?([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="joinTimeout: it is longer than programs can count; use a duration such as 10m",messageExpression="'joinTimeout: \"%s\" is not longer than 0s; use a duration such as 10m'.format([self])"
	// +optional
	JoinTimeout metav1.Duration `json:"joinTimeout,omitzero"`

	// unhealthyTimeout is how long the node of a member that has joined may be down, disconnected or unknown to Nomad
	// before the member is replaced; a Go duration. A member whose VM somebody has halted is left alone.
	// The default is 5m.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^-?([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="unhealthyTimeout: it is longer than programs can count; use a duration such as 5m",messageExpression="'unhealthyTimeout: \"%s\" is not longer than 0s; use a duration such as 5m'.format([self])"
	// +optional
	UnhealthyTimeout metav1.Duration `json:"unhealthyTimeout,omitzero"`

	// maxUnhealthy is how many members may be unhealthy for any of them to be replaced, as a number or as a share of
	// replicas such as 40% (rounded up). When more are, the cause is taken to lie elsewhere, and nobody is replaced.
	// The default is 40%.
	// +kubebuilder:default="40%"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern="^(100|[0-9]{1,2})%$"
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0 && self <= 1000",messageExpression="'maxUnhealthy: %s is %s; use a number of members such as 1, or a share such as 40%%'.format([self, int(self) < 0 ? 'negative' : 'more than the 1000 members that a pool can have'])"
	// +optional
	MaxUnhealthy *intstr.IntOrString `json:"maxUnhealthy,omitempty"`

	// maxInFlight is how many members may be on the way of being replaced for their health at a time: leaving, or joining
	// in the place of one that left.
	// The default is 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	MaxInFlight *int32 `json:"maxInFlight,omitempty"`
}

// NomadNodePoolStatus is what was found of a pool.
type NomadNodePoolStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of; -1: the controller has not seen the
	// object yet.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// replicas is how many members there are, without those that are leaving.
	// +kubebuilder:default=0
	// +optional
	Replicas int32 `json:"replicas"`
	// readyReplicas is how many members are ready and eligible in Nomad; while that can't be asked, how many were.
	// +kubebuilder:default=0
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`
	// updatedReplicas is how many members were made from the present template, and aren't to be replaced for
	// rollout.restartedAt or rollout.maxAge.
	// +kubebuilder:default=0
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`
	// joiningReplicas is how many members were made and have not joined Nomad yet, within joinTimeout.
	// +kubebuilder:default=0
	// +optional
	JoiningReplicas int32 `json:"joiningReplicas"`
	// drainingReplicas is how many members are leaving: draining, drained or being removed.
	// +kubebuilder:default=0
	// +optional
	DrainingReplicas int32 `json:"drainingReplicas"`
	// unhealthyReplicas is how many members have joined once and are not ready now, have not joined within joinTimeout, or
	// can't be made or run as things are.
	// +kubebuilder:default=0
	// +optional
	UnhealthyReplicas int32 `json:"unhealthyReplicas"`
	// selector selects the NomadNodes of the pool, for kubectl scale and autoscalers.
	// +optional
	Selector string `json:"selector,omitempty"`
	// revision is the hash of the present template.
	// +optional
	Revision string `json:"revision,omitempty"`
	// nextOrdinal numbers the members ever made, so that a name is never used again. Without it the
	// number is found out from the members that are there, and the name of one that has gone may come again.
	// +optional
	NextOrdinal int64 `json:"nextOrdinal,omitempty"`
	// lastScale is the last change of replicas.
	// +optional
	LastScale *ScaleChange `json:"lastScale,omitempty"`
	// joins is how the last members of the present template fared when they tried to join Nomad. It can't be found out
	// from what is there: without it the evidence begins anew, and the breaker is closed.
	// +optional
	Joins *JoinsStatus `json:"joins,omitempty"`
	// suspension is what keeps it from being judged if members work, and was seen while some didn't: an upgrade of
	// Harvester, hosts in maintenance, or a Nomad that can't be asked if members have joined. When it is over, joinTimeout
	// and unhealthyTimeout begin anew.
	// +optional
	Suspension *SuspensionStatus `json:"suspension,omitempty"`
	// nomad is where the members' servers led to. It can't be found out from what is there: without it a change of
	// spec.nomad.address alone may leave guests unseen that join the former Nomad. Unset: Nomad has not answered yet.
	// +optional
	Nomad *PoolNomadStatus `json:"nomad,omitempty"`
	// scaling says to programs what comes of a change of replicas. Unset: the controller has not seen the pool yet.
	// +optional
	Scaling *ScalingStatus `json:"scaling,omitempty"`
	// conditions are Ready, ScalingOut, ScalingIn, UpToDate, NomadReachable, JoinsHealthy, TemplateValid, Paused, Stalled.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PoolNomadStatus is a Nomad that has answered, and the servers that members were given meanwhile. After a change of
// the address alone it stays, until a member with these servers was seen where the new address leads to.
type PoolNomadStatus struct {
	FormerNomad `json:",inline"`
	// servers are those of spec.nomad.servers.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=259
	// +required
	Servers []string `json:"servers"`
}

// GrowthState says if a pool can grow.
type GrowthState string

// The states.
const (
	// GrowthPossible: members that are missing come by themselves, in bounded time.
	GrowthPossible GrowthState = "Possible"
	// GrowthBlocked: no member comes until somebody mends what is in the way.
	GrowthBlocked GrowthState = "Blocked"
)

// ScalingStatus is what comes of a change of replicas. Fewer may be asked for at any time.
type ScalingStatus struct {
	// growth is Possible if members that are missing, or would be with more replicas, come by themselves; or Blocked if
	// none comes until somebody mends what blockedBy names.
	// +required
	Growth GrowthState `json:"growth"`
	// blockedBy is the kind of thing that growth is blocked by: Template, Admission or Quota, of which the condition
	// TemplateValid says what it is; JoinsFailing, of which JoinsHealthy does; Paused; or IntroductionToken, NameTaken,
	// NodeIDTaken, CreateFailed or Capacity, of which ScalingOut does. Unset: growth isn't blocked.
	// +optional
	BlockedBy BlockedCause `json:"blockedBy,omitempty"`
}

// ScaleChange is a change of replicas.
type ScaleChange struct {
	// scaleTime is when the controller saw the change.
	// +required
	ScaleTime metav1.Time `json:"scaleTime"`
	// from is the number of replicas before; -1 when the pool was new.
	// +required
	From int32 `json:"from"`
	// to is the number of replicas after.
	// +required
	To int32 `json:"to"`
	// reason is who asked, as far as the API server has recorded it.
	// +optional
	Reason string `json:"reason,omitempty"`
	// downTime is when replicas went down last, with this change or with one before, or may have: it isn't known what
	// they were before. Until scaleIn.stabilizationWindow has passed since then, no rollout may hide that scale-in.
	// Unset: never.
	// +optional
	DownTime *metav1.Time `json:"downTime,omitempty"`
}

// SuspensionStatus is what keeps it from being judged if members work.
type SuspensionStatus struct {
	// upgrading is true while Harvester is being upgraded.
	// +optional
	Upgrading bool `json:"upgrading,omitempty"`
	// hosts are those that are in maintenance, of members that don't work.
	// +listType=set
	// +optional
	Hosts []string `json:"hosts,omitempty"`
	// nomadUnknown is true while Nomad can't be asked, and members should join it.
	// +optional
	NomadUnknown bool `json:"nomadUnknown,omitempty"`
	// resumedTime is when one of these was seen to be over last.
	// +optional
	ResumedTime *metav1.Time `json:"resumedTime,omitempty"`
}

// JoinsStatus is the evidence for the condition JoinsHealthy. It begins anew when the template or the
// connection to Nomad changes, or when the annotation nomad.harvesterhci.io/retry-joins gets another value.
type JoinsStatus struct {
	// key stands for the template, the connection and the annotation that the evidence belongs to.
	// +required
	Key string `json:"key"`
	// startTime is when the evidence began.
	// +required
	StartTime metav1.Time `json:"startTime"`
	// results are the last ones, the newest last.
	// +listType=map
	// +listMapKey=member
	// +kubebuilder:validation:MaxItems=10
	// +optional
	Results []JoinResult `json:"results,omitempty"`
}

// JoinResult is how one member fared.
type JoinResult struct {
	// member is its name.
	// +required
	Member string `json:"member"`
	// joined is true if it joined, and false if it didn't within joinTimeout.
	// +required
	Joined bool `json:"joined"`
	// resultTime is when that was known.
	// +required
	ResultTime metav1.Time `json:"resultTime"`
}
