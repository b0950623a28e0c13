package record

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/machine"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// Of is what a NomadNode says.
func Of(n *v1alpha1.NomadNode) member.Record {
	drained := Condition(n, v1alpha1.NodeDrained)
	rec := member.Record{
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

// Ours is true for the member's VM: the one that was recorded as such, whatever has become of its marks since, or else
// one that carries all of them.
func Ours(n *v1alpha1.NomadNode, vm *kubevirtv1.VirtualMachine) bool {
	if recorded := n.Status.VM.UID; recorded != "" {
		return recorded == string(vm.UID)
	}
	return machine.IsMember(vm, n.Spec.PoolName, n.Spec.PoolUID) && vm.Annotations[v1alpha1.NodeIDAnnotation] == n.Spec.NodeID
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
