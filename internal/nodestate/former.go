package nodestate

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A controller of an earlier version wrote no status.blockedBy, drainResult and nomad.idTaken, but conditions only.
// Of a record that it wrote last these tell, until its own controller has looked at it once. That is safe for later
// ones as well: whenever a condition says one of these things, the field says it too, because they are written
// together.

func blockedBy(n *v1alpha1.NomadNode) v1alpha1.BlockedCause {
	if by := n.Status.BlockedBy; by != "" {
		return by
	}
	return formerCause(Condition(n, v1alpha1.NodeVMReady).Reason, n.Status.VM.UID != "")
}

func formerCause(reason string, made bool) v1alpha1.BlockedCause {
	switch reason {
	case v1alpha1.ReasonVMUnschedulable, v1alpha1.ReasonVMAboveQuota:
		return v1alpha1.BlockedByCapacity
	case v1alpha1.ReasonVMStopped:
		return v1alpha1.BlockedByHalt
	case v1alpha1.ReasonDeleteStuck:
		return v1alpha1.BlockedByRemoval
	case "", v1alpha1.ReasonUnknown, v1alpha1.ReasonProvisioning, v1alpha1.ReasonVMStarting, v1alpha1.ReasonVMRunning:
		return ""
	}
	if made {
		return ""
	}
	return formerProblem(reason)
}

// formerProblem is of a member without a VM what the reason says is in its way. Of what nobody knows it may have a VM
// all the same.
func formerProblem(reason string) v1alpha1.BlockedCause {
	switch reason {
	case v1alpha1.ReasonVMNameTaken:
		return v1alpha1.BlockedByName
	case v1alpha1.ReasonNodeIDTaken:
		return v1alpha1.BlockedByNodeID
	case v1alpha1.ReasonIntroductionToken:
		return v1alpha1.BlockedByToken
	case v1alpha1.ReasonAdmissionDenied:
		return v1alpha1.BlockedByAdmission
	case v1alpha1.ReasonQuotaExceeded:
		return v1alpha1.BlockedByQuota
	case v1alpha1.ReasonImageNotFound,
		v1alpha1.ReasonImageNotReady,
		v1alpha1.ReasonDiskTooSmall,
		v1alpha1.ReasonStorageClassNotFound,
		v1alpha1.ReasonNetworkNotFound,
		v1alpha1.ReasonNetworkNotReady,
		v1alpha1.ReasonKeyPairNotFound,
		v1alpha1.ReasonSecretNotFound,
		v1alpha1.ReasonTemplateNotFound,
		v1alpha1.ReasonTemplateInvalid:
		return v1alpha1.BlockedByTemplate
	default:
		return v1alpha1.BlockedByFailure
	}
}

func drainResult(n *v1alpha1.NomadNode) v1alpha1.DrainResult {
	if is := n.Status.DrainResult; is != "" {
		return is
	}
	return v1alpha1.DrainResult(Condition(n, v1alpha1.NodeDrainCompleted).Reason)
}

func idTaken(n *v1alpha1.NomadNode) bool {
	registered := Condition(n, v1alpha1.NodeJoined)
	if registered.Status == metav1.ConditionTrue { // an earlier version that came back leaves the field as it was
		return false
	}
	return n.Status.Nomad.IDTaken || registered.Reason == v1alpha1.ReasonNodeIDTaken
}
