package kube

import (
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Refusal returns what blocks a write that was denied, which no retry mends by itself; nil: the write succeeded, or
// failed for another reason. The message is the server's, unchanged, because it is the only explanation that a user
// gets.
func Refusal(err error) *nodestate.Blocked {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "status unknown for quota"):
		// A ResourceQuota that was just made (Kubernetes: plugin/pkg/admission/resourcequota/controller.go, CheckRequest):
		// in a moment it has been counted.
		return nil
	case strings.Contains(err.Error(), "exceeded quota"), strings.Contains(err.Error(), "resource quota"):
		return &nodestate.Blocked{By: v1alpha1.BlockedByQuota,
			Problem: condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: err.Error()}}
	case apierrors.IsInvalid(err),
		apierrors.IsForbidden(err),
		apierrors.IsBadRequest(err),
		apierrors.IsRequestEntityTooLargeError(err),
		strings.Contains(err.Error(), "admission webhook") && strings.Contains(err.Error(), "denied the request"):
		return &nodestate.Blocked{By: v1alpha1.BlockedByAdmission,
			Problem: condition.Problem{Reason: v1alpha1.ReasonAdmissionDenied, Message: err.Error()}}
	default:
		return nil
	}
}
