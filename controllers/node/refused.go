package node

import (
	"context"
	"errors"
	"regexp"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// problemOf is what a member's conditions show of an error; nil: the step is tried again and they show nothing.
func problemOf(err error) *nodestate.Blocked {
	var p problemError
	if errors.As(err, &p) {
		return &p.Blocked
	}
	return kube.Refusal(err)
}

// explain puts into the outcome what the member's conditions show of a step that failed. It returns true for a refusal:
// that isn't an error of the controller, and the step is tried again later. Other errors that keep a VM from being made
// are shown too, and the step is tried again soon. Conflicts, the end of the controller, and that it isn't this
// member's turn to ask Nomad aren't shown.
func explain(out *member.Outcome, step member.Step, err error) (refused bool) {
	switch p := problemOf(err); {
	case notNow(err), apierrors.IsConflict(err), errors.Is(err, context.Canceled):
		return false
	case p == nil && step.Making():
		out.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByFailure, Problem: condition.Problem{
			Reason: v1alpha1.ReasonCreateFailed, Message: "It is tried again all the while. The answer: " + stable(err),
		}}
		return false
	case p == nil:
		return false
	case step.Removing():
		out.Refused, out.RetryAfter = p, member.RefusedRetry
		return true
	case step.Making():
		out.Problem, out.RetryAfter = p, member.RefusedRetry
		return true
	default:
		return false
	}
}

// notNow reports whether an error says when to ask Nomad again: it isn't this member's turn, or its node was found in
// the former Nomad, which is written first.
func notNow(err error) bool {
	var later interface {
		error
		RetryAfter() time.Duration
	}
	return errors.As(err, &later)
}

// varying matches the parts of an error's text that differ each time although the cause is the same: the port of our
// own end of a connection, and the time at which a certificate was checked. A condition that changes each time is a
// write each time.
var varying = regexp.MustCompile(`\S+:\d+->|current time \S+ `)

// stable is the text of an error without the parts that differ each time.
func stable(err error) string { return varying.ReplaceAllString(err.Error(), "") }
