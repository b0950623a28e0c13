package node

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// tell sends the events and metrics of what the written status shows for the first time.
func (r *Reconciler) tell(before, n *v1alpha1.NomadNode) {
	if before.Status.JoinedTime == nil && n.Status.JoinedTime != nil {
		r.Events.joined(n)
		joinSeconds.WithLabelValues(n.Namespace, n.Spec.PoolName).
			Observe(n.Status.JoinedTime.Sub(n.CreationTimestamp.Time).Seconds())
	}
	// That a member's time to join is up, or that its node is down, is in no field. So these Events tell of the words
	// that say so.
	was, is := nodestate.Condition(before, v1alpha1.NodeJoined), nodestate.Condition(n, v1alpha1.NodeJoined)
	if is.Reason == v1alpha1.ReasonJoinTimeout && becomes(was, is) {
		r.Events.joinTimeout(n)
	}
	was, is = nodestate.Condition(before, v1alpha1.NodeReady), nodestate.Condition(n, v1alpha1.NodeReady)
	if is.Reason == v1alpha1.ReasonNodeDown && becomes(was, is) {
		r.Events.nodeDown(n, is.Message)
	}
	if by := n.Status.BlockedBy; by != nodestate.Of(before).BlockedBy {
		r.tellBlocked(n, by, nodestate.Condition(n, v1alpha1.NodeVMReady).Message)
	}
}

// tellBlocked tells what is in a member's way since now. Of a template that can't work the pool tells.
func (r *Reconciler) tellBlocked(n *v1alpha1.NomadNode, by v1alpha1.BlockedCause, message string) {
	switch by {
	case v1alpha1.BlockedByAdmission, v1alpha1.BlockedByQuota:
		r.Events.vmRefused(n, message)
	case v1alpha1.BlockedByCapacity:
		r.Events.noRoom(n, message)
	case v1alpha1.BlockedByFailure:
		r.Events.vmNotMade(n, message)
	case v1alpha1.BlockedByHalt:
		r.Events.vmStopped(n, message)
	case v1alpha1.BlockedByRemoval:
		r.Events.deleteStuck(n, message)
	default: // what people read in the conditions
	}
}

// becomes is true if a condition says something new. What it says when Nomad is back isn't, as a rule: it was so
// before Nomad was away.
func becomes(was, is metav1.Condition) bool {
	return was.Reason != is.Reason && was.Reason != v1alpha1.ReasonNomadUnknown
}
