package nodestate

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Node is what the NomadNode has in its spec and status.
type Node struct {
	Namespace, Name, Revision string
	// ID is its Nomad node's, and PoolUID its pool's.
	ID, PoolUID string
	// Made is when the NomadNode was made, with which the member's Secret and VM were rendered.
	Made time.Time
	// DeleteNext and Protected are the annotations.
	DeleteNext, Protected bool
	// Host is what the VM was last seen to run on; empty: nothing yet.
	Host string
	// Created is when the VM was made, from which the time to join counts; without a VM, when the NomadNode was made.
	Created time.Time
	// CapacityAvailableTime is the last written value; zero: none.
	CapacityAvailableTime time.Time
	// DeletedAt is the deletionTimestamp; zero: not deleted.
	DeletedAt time.Time
	// Drain is the drain request; nil: the member is to stay.
	Drain  *v1alpha1.DrainRequest
	Policy v1alpha1.DrainPolicy
	// Drained is true once the condition DrainCompleted is written. From then on the drain can't be canceled.
	Drained bool
	// DrainedAt is when that was written.
	DrainedAt time.Time
	// DrainResult is how the drain ended, and DrainedMessage is the message for people.
	DrainResult    v1alpha1.DrainResult
	DrainedMessage string
	// DeletedByController is true if the controller itself has deleted the NomadNode, or is about to.
	DeletedByController bool
	// Joined is true once the Nomad node has been seen ready, and JoinedAt is when that was written.
	Joined      bool
	JoinedAt    time.Time
	JoinTimeout time.Duration
	// Servers are those that the guest was given to join.
	Servers []string
	// Ready is true if the last written condition Ready is True, and ReadySince is since when.
	Ready      bool
	ReadySince time.Time
	// UnhealthyTime is the last written value; zero: none.
	UnhealthyTime time.Time
	// StopTime is the longest that was written for this drain request; nil: none.
	StopTime *time.Duration
	// OnlySystemTime is the last written value; zero: none.
	OnlySystemTime time.Time
	// ForcedTime is the last written value; zero: none.
	ForcedTime time.Time
	// BlockedBy is what blocked the member when that was last written; empty: nothing.
	BlockedBy v1alpha1.BlockedCause
	// IDTaken is true if the member's ID belonged to an external node in Nomad when that was last written.
	IDTaken bool
	// Phase is the last written phase; empty: none.
	Phase v1alpha1.NodePhase
	// LastConditions are the conditions as they were last written. They are for descriptions: nothing decides by them.
	LastConditions map[string]metav1.Condition
	// CertificateEnd is when the client certificate ends that the guest was given; zero: it was given none.
	CertificateEnd time.Time
	// CordonedFor is the ID of the drain request for which the node was made ineligible; empty: none.
	CordonedFor string
	// Resent is the ID of the drain request whose stalled drain was sent a second time; empty: none.
	Resent string
	// VMMade is true once the member's VM has been seen. A member's VM is never made twice.
	VMMade bool
	// SeenInNomad is true once a Nomad node has been seen that is the member's.
	SeenInNomad bool
	// Purge is true if the Nomad node is to be removed from Nomad.
	Purge bool
}

// Of reads a NomadNode.
func Of(n *v1alpha1.NomadNode) Node {
	st, drained, ready := n.Status, Condition(n, v1alpha1.NodeDrainCompleted), Condition(n, v1alpha1.NodeReady)
	r := Node{
		Namespace: n.Namespace, Name: n.Name, Revision: n.Spec.Revision, ID: n.Spec.NodeID, PoolUID: n.Spec.PoolUID,
		Made: n.CreationTimestamp.Time, Host: st.VM.Host,
		Created: n.CreationTimestamp.Time, Drain: n.Spec.Drain, Policy: n.Spec.ScaleIn.Drain,
		Drained:        drained.Status == metav1.ConditionTrue && st.DrainResult != "",
		DrainedAt:      drained.LastTransitionTime.Time,
		DrainedMessage: drained.Message, DeletedByController: st.DeletedByController,
		Joined: st.JoinedTime != nil, JoinedAt: TimeOf(st.JoinedTime),
		JoinTimeout: n.Spec.Health.JoinTimeout.Duration, Servers: n.Spec.Nomad.Servers,
		BlockedBy: st.BlockedBy, IDTaken: st.Nomad.IDTaken, Phase: st.Phase, LastConditions: lastConditions(n),
		CordonedFor: st.CordonedDrain, Resent: st.ResentDrain,
		VMMade:                st.VM.UID != "",
		SeenInNomad:           st.Nomad.Cluster != "",
		Purge:                 n.Spec.ScaleIn.Purge == nil || *n.Spec.ScaleIn.Purge,
		CapacityAvailableTime: TimeOf(st.VM.CapacityAvailableTime), UnhealthyTime: TimeOf(st.UnhealthyTime),
		OnlySystemTime: TimeOf(st.Nomad.OnlySystemTime), CertificateEnd: TimeOf(st.Nomad.CertificateExpirationTime),
		ForcedTime: TimeOf(st.Nomad.ForcedTime),
	}
	_, r.DeleteNext = n.Annotations[v1alpha1.DeleteNextAnnotation]
	_, r.Protected = n.Annotations[v1alpha1.ProtectAnnotation]
	if r.Drained {
		r.DrainResult = st.DrainResult
	}
	if ready.Status == metav1.ConditionTrue {
		r.Ready, r.ReadySince = true, ready.LastTransitionTime.Time
	}
	if stop := st.Nomad.StopTime; stop != nil {
		r.StopTime = &stop.Duration
	}
	if made := st.VM.CreationTime; made != nil {
		r.Created = made.Time
	}
	if n.DeletionTimestamp != nil {
		r.DeletedAt = n.DeletionTimestamp.Time
	}
	return r
}

func lastConditions(n *v1alpha1.NomadNode) map[string]metav1.Condition {
	out := map[string]metav1.Condition{}
	for _, c := range n.Status.Conditions {
		out[c.Type] = metav1.Condition{Status: c.Status, Reason: c.Reason, Message: c.Message}
	}
	return out
}

// Condition returns a condition of a member; one that is missing is Unknown.
func Condition(n *v1alpha1.NomadNode, t string) metav1.Condition {
	if c := meta.FindStatusCondition(n.Status.Conditions, t); c != nil {
		return *c
	}
	return metav1.Condition{Type: t, Status: "Unknown"}
}

// NewDrainRequest returns a drain request.
func NewDrainRequest(id string, reason v1alpha1.DrainReason, now, deadline time.Time) *v1alpha1.DrainRequest {
	return &v1alpha1.DrainRequest{ID: id, Reason: reason, RequestTime: metav1.NewTime(now),
		DeadlineTime: metav1.NewTime(deadline)}
}

// TimeOf returns a time that may be unset; zero then.
func TimeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// MetaTime returns nil for the zero time. The API server keeps whole seconds.
func MetaTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// Blocked returns what blocked the member when that was last written, with the message that was written; nil: nothing.
func (r Node) Blocked() *Blocked {
	if r.BlockedBy == "" {
		return nil
	}
	was := r.LastConditions[v1alpha1.NodeVMReady]
	if r.BlockedBy == v1alpha1.BlockedByOtherNode {
		was = r.LastConditions[v1alpha1.NodeJoined]
	}
	return &Blocked{By: r.BlockedBy, Problem: condition.Problem{cmp.Or(was.Reason, string(r.BlockedBy)), was.Message}}
}

// Leaving is true for a member that has a drain request that isn't canceled, or whose NomadNode is deleted.
func (r Node) Leaving() bool {
	return !r.DeletedAt.IsZero() || (r.Drain != nil && (!r.Drain.Canceled || r.Drained))
}

// Cordoned is true when the node was made ineligible, or is about to be, for the member's drain request. Otherwise
// somebody else had made it ineligible before.
func (r Node) Cordoned() bool { return r.Drain != nil && r.CordonedFor == r.Drain.ID }

// WasLeaving is true for a member whose last written phase is one of a leaving member.
func (r Node) WasLeaving() bool {
	switch r.Phase {
	case v1alpha1.NodeDraining, v1alpha1.NodePhaseDrained, v1alpha1.NodeDeleting, v1alpha1.NodePurging:
		return true
	default:
		return false
	}
}

// Emptying is true while the controller needs to know which allocations live on the member's node.
func (r Node) Emptying() bool { return r.Leaving() && !r.Drained }

// DrainOnTimeout is what Nomad does at the deadline of the member's drain request: Force if the drain is sent with the
// deadline, Retain if it is sent without one. The guest of a VM that somebody has deleted stops anyway, so there is
// nothing to retain.
func (r Node) DrainOnTimeout() v1alpha1.DrainTimeoutAction {
	if r.Policy.OnTimeout == v1alpha1.DrainRetain && r.Drain.Reason != v1alpha1.DrainVMDeleted {
		return v1alpha1.DrainRetain
	}
	return v1alpha1.DrainForce
}

// LackedCapacity is true for a member whose VM lacked capacity when that was last written. Its time to join has not
// begun.
func (r Node) LackedCapacity() bool { return r.BlockedBy == v1alpha1.BlockedByCapacity }

// JoinDeadline is when a member should have joined. Its time begins when its VM is made, or gets the capacity that it
// lacked.
func (r Node) JoinDeadline() time.Time {
	if r.CapacityAvailableTime.After(r.Created) {
		return r.CapacityAvailableTime.Add(r.JoinTimeout)
	}
	return r.Created.Add(r.JoinTimeout)
}

// JoinExpired is true for a member that should have joined and has not. The time to join doesn't run while the VM is
// refused or lacks capacity.
func (r Node) JoinExpired(now time.Time) bool {
	return r.VMMade && !r.Joined && !r.LackedCapacity() && !now.Before(r.JoinDeadline())
}
