package nodestate

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Record is what the NomadNode says.
type Node struct {
	Namespace, Name, Revision string
	// Made is when the record was made, with which the member's Secret and VM were rendered.
	Made time.Time
	// DeleteNext and Protected are the annotations.
	DeleteNext, Protected bool
	// Host is what the VM was last seen to run on; empty: nothing yet.
	Host string
	// Created is when the VM was made, from where the time to join counts; while there is none, when the record was.
	Created time.Time
	// CapacityAvailableTime is what was last written of it; zero: nothing.
	CapacityAvailableTime time.Time
	// DeletedAt is the deletionTimestamp; zero: not deleted.
	DeletedAt time.Time
	// Drain is the order to leave; nil: wanted.
	Drain  *v1alpha1.DrainRequest
	Policy v1alpha1.DrainPolicy
	// Drained is true once it has been written that no allocation is left. The member can't be called back from there.
	Drained bool
	// DrainedAt is when that was written.
	DrainedAt time.Time
	// DrainResult is how the drain ended, and DrainedMessage says it to people.
	DrainResult    v1alpha1.DrainResult
	DrainedMessage string
	// Joined is true once the Nomad node has been seen ready, and JoinedAt is when that was written.
	Joined      bool
	JoinedAt    time.Time
	JoinTimeout time.Duration
	// Servers are those that the guest was told to join.
	Servers []string
	// Ready is true if the member was last written to take work, and ReadySince is since when.
	Ready      bool
	ReadySince time.Time
	// UnhealthyTime is what was last written of it; zero: nothing.
	UnhealthyTime time.Time
	// StopTime is the longest that was written of it for this order to leave; nil: nothing.
	StopTime *time.Duration
	// OnlySystemTime is what was last written of it; zero: nothing.
	OnlySystemTime time.Time
	// BlockedBy is what was last written to be in the member's way; empty: nothing.
	BlockedBy v1alpha1.BlockedCause
	// IDTaken is true if the member's ID was last found to be another's in Nomad.
	IDTaken bool
	// Phase is what was last written of it; empty: nothing.
	Phase v1alpha1.NodePhase
	// Said are the conditions as they were last written. They are for those who describe the member, which decide nothing.
	Said map[string]metav1.Condition
	// CordonedFor is the intent for which the node was made ineligible; empty: none.
	CordonedFor string
	// Resent is the intent whose stalled drain was sent a second time; empty: none.
	Resent string
	// ClaimsRecorded is true once the names of the claims are in status, which must precede the VM.
	ClaimsRecorded bool
	// VMMade is true once the member's VM has been seen. A member's VM is never made twice.
	VMMade bool
	// Purge says if the Nomad node is to be removed from Nomad.
	Purge bool
}

// Of is what a NomadNode says.
func Of(n *v1alpha1.NomadNode) Node {
	st, drained, ready := n.Status, Condition(n, v1alpha1.NodeDrainCompleted), Condition(n, v1alpha1.NodeReady)
	r := Node{
		Namespace: n.Namespace, Name: n.Name, Revision: n.Spec.Revision, Made: n.CreationTimestamp.Time, Host: st.VM.Host,
		Created: n.CreationTimestamp.Time, Drain: n.Spec.Drain, Policy: n.Spec.ScaleIn.Drain,
		Drained: drained.Status == metav1.ConditionTrue, DrainedAt: drained.LastTransitionTime.Time, DrainedMessage: drained.Message,
		Joined: st.JoinedTime != nil, JoinedAt: TimeOf(st.JoinedTime), JoinTimeout: n.Spec.Health.JoinTimeout.Duration, Servers: n.Spec.Nomad.Servers,
		BlockedBy: st.BlockedBy, IDTaken: st.Nomad.IDTaken, Phase: st.Phase, Said: said(n),
		CordonedFor: st.CordonedDrain, Resent: st.ResentDrain,
		ClaimsRecorded: len(st.Claims) > 0, VMMade: st.VM.UID != "", Purge: n.Spec.ScaleIn.Purge == nil || *n.Spec.ScaleIn.Purge,
		CapacityAvailableTime: TimeOf(
			st.VM.CapacityAvailableTime), UnhealthyTime: TimeOf(st.UnhealthyTime), OnlySystemTime: TimeOf(st.Nomad.OnlySystemTime),
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

func said(n *v1alpha1.NomadNode) map[string]metav1.Condition {
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

// NewDrainRequest is an order to leave.
func NewDrainRequest(id string, reason v1alpha1.DrainReason, now, deadline time.Time) *v1alpha1.DrainRequest {
	return &v1alpha1.DrainRequest{ID: id, Reason: reason, RequestTime: metav1.NewTime(now),
		DeadlineTime: metav1.NewTime(deadline)}
}

// TimeOf is a time that may be unset; zero then.
func TimeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// MetaTime is nil for no time at all. The API server keeps whole seconds.
func MetaTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// Blocked is what was last written to be in the member's way, with the words that were written of it; nil: nothing.
func (r Node) Blocked() *Blocked {
	if r.BlockedBy == "" {
		return nil
	}
	said := r.Said[v1alpha1.NodeVMReady]
	return &Blocked{By: r.BlockedBy, Problem: condition.Problem{said.Reason, said.Message}}
}

// Leaving is true for a member that has been ordered to leave, by an intent that stands or by deletion.
func (r Node) Leaving() bool {
	return !r.DeletedAt.IsZero() || (r.Drain != nil && (!r.Drain.Canceled || r.Drained))
}

// Cordoned is true when the node was made ineligible, or is about to be, for the member's intent. Otherwise somebody
// else had made it ineligible before.
func (r Node) Cordoned() bool { return r.Drain != nil && r.CordonedFor == r.Drain.ID }

// SaidLeaving is true for a member that was last described as one that leaves.
func (r Node) SaidLeaving() bool {
	switch r.Phase {
	case v1alpha1.NodeDraining, v1alpha1.NodePhaseDrained, v1alpha1.NodeDeleting, v1alpha1.NodePurging:
		return true
	default:
		return false
	}
}

// Emptying is true while it matters which allocations live on the member's node.
func (r Node) Emptying() bool { return r.Leaving() && !r.Drained }

// DrainOnTimeout is what the drain of a member with an intent tells Nomad to do at the intent's deadline: Force, by
// giving it the deadline, or Retain, by giving none. The guest of a VM that somebody has deleted stops anyway, so
// that there is nothing to retain.
func (r Node) DrainOnTimeout() v1alpha1.DrainTimeoutAction {
	if r.Policy.OnTimeout == v1alpha1.DrainRetain && r.Drain.Reason != v1alpha1.DrainVMDeleted {
		return v1alpha1.DrainRetain
	}
	return v1alpha1.DrainForce
}

// LackedCapacity is true for a member of which the last that was written is that there is no room for its VM. Its
// time to join has not begun.
func (r Node) LackedCapacity() bool { return r.BlockedBy == v1alpha1.BlockedByCapacity }

// JoinDeadline is when a member should have joined: its time begins when its VM is made, or has room at last.
func (r Node) JoinDeadline() time.Time {
	if r.CapacityAvailableTime.After(r.Created) {
		return r.CapacityAvailableTime.Add(r.JoinTimeout)
	}
	return r.Created.Add(r.JoinTimeout)
}

// JoinExpired is true for a member that should have joined and has not. One whose VM is refused, or has no room, has
// not begun to.
func (r Node) JoinExpired(now time.Time) bool {
	return r.VMMade && !r.Joined && !r.LackedCapacity() && !now.Before(r.JoinDeadline())
}
