package controllers

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// problemOf is what a member's conditions say about an error; nil: it is tried again without a word.
func problemOf(err error) *member.Problem {
	var p problemError
	if errors.As(err, &p) {
		return &p.Problem
	}
	return refusal(err)
}

// explain notes what the member's conditions say of a step that failed. It returns true for what a retry doesn't mend by itself:
// that is no error of ours, and is tried again later.
func explain(o *member.Observed, step member.Step, err error) (refused bool) {
	switch p := problemOf(err); {
	case err == nil:
		return false
	case step.Removing():
		o.Refused = p
		return p != nil
	case !step.Making():
		return false
	default:
		o.Record.Problem = p
		return p != nil
	}
}

// refusal tells a write that was refused, which no retry mends by itself, from one that failed. The message is the
// server's, word for word: it is the only explanation that a user gets.
func refusal(err error) *member.Problem {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "exceeded quota"), strings.Contains(err.Error(), "resource quota"):
		return &member.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: err.Error()}
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err),
		strings.Contains(err.Error(), "admission webhook") && strings.Contains(err.Error(), "denied the request"):
		return &member.Problem{Reason: v1alpha1.ReasonAdmissionDenied, Message: err.Error()}
	default:
		return nil
	}
}
