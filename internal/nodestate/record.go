package nodestate

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Record is what the NomadNode says.
type Record struct {
	// Created is when the VM was made, from where the time to join counts; while there is none, when the record was.
	Created time.Time
	// RoomSince is what was last written of it; zero: nothing.
	RoomSince time.Time
	// DeletedAt is the deletionTimestamp; zero: not deleted.
	DeletedAt time.Time
	// Drain is the order to leave; nil: wanted.
	Drain  *v1alpha1.DrainIntent
	Policy v1alpha1.DrainPolicy
	// Drained is true once it has been written that no allocation is left. The member can't be called back from there.
	Drained bool
	// DrainedAt is when that was written.
	DrainedAt time.Time
	// DrainedReason and DrainedMessage are what was written with it.
	DrainedReason, DrainedMessage string
	// Joined is true once the Nomad node has been seen ready.
	Joined      bool
	JoinTimeout time.Duration
	// UnhealthySince is what was last written of it; zero: nothing.
	UnhealthySince time.Time
	// StopTime is the longest that was written of it for this order to leave; nil: nothing.
	StopTime *time.Duration
	// OnlySystemSince is what was last written of it; zero: nothing.
	OnlySystemSince time.Time
	// Said are the conditions as they were last written.
	Said map[string]metav1.Condition
	// CordonedFor is the intent for which the node was made ineligible; empty: none.
	CordonedFor string
	// Kicked is the intent whose stalled drain was sent a second time; empty: none.
	Kicked string
	// ClaimsRecorded is true once the names of the claims are in status, which must precede the VM.
	ClaimsRecorded bool
	// VMMade is true once the member's VM has been seen. A member's VM is never made twice.
	VMMade bool
	// Purge says if the Nomad node is to be removed from Nomad.
	Purge bool
	// Problem is why the member can't be rendered or made now; nil: it can.
	Problem *condition.Problem
}

// Of is what a NomadNode says.
func Of(n *v1alpha1.NomadNode) Record {
	drained := Condition(n, v1alpha1.NodeDrained)
	rec := Record{
		Created:        n.CreationTimestamp.Time,
		Drain:          n.Spec.Drain,
		Policy:         n.Spec.DrainPolicy,
		Drained:        drained.Status == "True",
		DrainedAt:      drained.LastTransitionTime.Time,
		DrainedReason:  drained.Reason,
		DrainedMessage: drained.Message,
		Joined:         n.Status.JoinedTime != nil,
		JoinTimeout:    n.Spec.JoinTimeout.Duration,
		Said:           said(n),
		CordonedFor:    n.Status.CordonedDrain,
		Kicked:         n.Status.KickedDrain,
		ClaimsRecorded: len(n.Status.Claims) > 0,
		VMMade:         n.Status.VM.UID != "",
		Purge:          n.Spec.Purge == nil || *n.Spec.Purge,

		RoomSince: TimeOf(n.Status.VM.RoomSince), UnhealthySince: TimeOf(n.Status.UnhealthySince), OnlySystemSince: TimeOf(n.Status.Nomad.OnlySystemSince),
	}
	if stop := n.Status.Nomad.StopTime; stop != nil {
		rec.StopTime = &stop.Duration
	}
	if made := n.Status.VM.Created; made != nil {
		rec.Created = made.Time
	}
	if n.DeletionTimestamp != nil {
		rec.DeletedAt = n.DeletionTimestamp.Time
	}
	return rec
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

// TakenID is true for a member whose ID is another's in Nomad, as it was found last.
func TakenID(n *v1alpha1.NomadNode) bool {
	return Condition(n, v1alpha1.NodeRegistered).Reason == v1alpha1.ReasonNodeIDTaken
}

// NewIntent is an order to leave.
func NewIntent(id string, reason v1alpha1.DrainReason, now, deadline time.Time) *v1alpha1.DrainIntent {
	return &v1alpha1.DrainIntent{ID: id, Reason: reason, Time: metav1.NewTime(now), Deadline: metav1.NewTime(deadline)}
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

// Leaving is true for a member that has been ordered to leave, by an intent that stands or by deletion.
func (r Record) Leaving() bool {
	return !r.DeletedAt.IsZero() || (r.Drain != nil && (!r.Drain.Canceled || r.Drained))
}

// Cordoned is true when the node was made ineligible, or is about to be, for the member's intent. Otherwise somebody else had
// made it ineligible before.
func (r Record) Cordoned() bool { return r.Drain != nil && r.CordonedFor == r.Drain.ID }

// Emptying is true while it matters which allocations live on the member's node.
func (r Record) Emptying() bool { return r.Leaving() && !r.Drained }

// DrainOnTimeout is what the drain of a member with an intent tells Nomad to do at the intent's deadline: Force, by giving
// it the deadline, or Retain, by giving none. The guest of a VM that somebody has deleted stops anyway, so that there is
// nothing to retain.
func (r Record) DrainOnTimeout() v1alpha1.DrainTimeoutAction {
	if r.Policy.OnTimeout == v1alpha1.DrainRetain && r.Drain.Reason != v1alpha1.DrainVMDeleted {
		return v1alpha1.DrainRetain
	}
	return v1alpha1.DrainForce
}

// LackedRoom is true for a member of which the last that was said is that there is no room for its VM. Its time to join has not
// begun.
func (r Record) LackedRoom() bool {
	reason := r.Said[v1alpha1.NodeVMReady].Reason
	return reason == v1alpha1.ReasonVMAboveQuota || reason == v1alpha1.ReasonVMUnschedulable
}

// JoinDeadline is when a member should have joined: its time begins when its VM is made, or has room at last.
func (r Record) JoinDeadline() time.Time {
	if r.RoomSince.After(r.Created) {
		return r.RoomSince.Add(r.JoinTimeout)
	}
	return r.Created.Add(r.JoinTimeout)
}

// JoinExpired is true for a member that should have joined and has not. One whose VM is refused, or has no room, has not begun
// to.
func (r Record) JoinExpired(now time.Time) bool {
	return r.VMMade && !r.Joined && !r.LackedRoom() && !now.Before(r.JoinDeadline())
}
