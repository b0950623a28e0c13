package node

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// tell sends the events and metrics of what the written status shows for the first time.
func (r *Reconciler) tell(before, n *v1alpha1.NomadNode) {
	if before.Status.JoinedTime == nil && n.Status.JoinedTime != nil {
		r.Events.joined(n)
		joinSeconds.WithLabelValues(n.Namespace, n.Spec.PoolName).Observe(n.Status.JoinedTime.Sub(n.CreationTimestamp.Time).Seconds())
	}
	was, is := nodestate.Condition(before, v1alpha1.NodeRegistered), nodestate.Condition(n, v1alpha1.NodeRegistered)
	if is.Reason == v1alpha1.ReasonJoinTimeout && was.Reason != is.Reason {
		r.Events.joinTimeout(n)
	}
	was, is = nodestate.Condition(before, v1alpha1.NodeReady), nodestate.Condition(n, v1alpha1.NodeReady)
	if is.Reason == v1alpha1.ReasonNodeDown && was.Reason != is.Reason {
		r.Events.nodeDown(n, is.Message)
	}
	was, is = nodestate.Condition(before, v1alpha1.NodeVMReady), nodestate.Condition(n, v1alpha1.NodeVMReady)
	if was.Reason == is.Reason {
		return
	}
	switch is.Reason {
	case v1alpha1.ReasonAdmissionDenied, v1alpha1.ReasonQuotaExceeded:
		r.Events.vmRefused(n, is.Message)
	case v1alpha1.ReasonVMAboveQuota, v1alpha1.ReasonVMUnschedulable:
		r.Events.noRoom(n, is.Message)
	case v1alpha1.ReasonCreateFailed:
		r.Events.vmNotMade(n, is.Message)
	case v1alpha1.ReasonVMStopped:
		r.Events.vmStopped(n, is.Message)
	case v1alpha1.ReasonDeleteStuck:
		r.Events.deleteStuck(n, is.Message)
	}
}
