package node

import (
	"context"
	"errors"
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// problemOf is what a member's conditions say about an error; nil: it is tried again without a word.
func problemOf(err error) *nodestate.Blocked {
	var p problemError
	if errors.As(err, &p) {
		return &p.Blocked
	}
	return kube.Refusal(err)
}

// explain puts into the outcome what the member's conditions say of a step that failed. It returns true for what a
// retry doesn't mend by itself: that is no error of ours, and is tried again later. Whatever else keeps a VM from
// being made is said as well, and tried again soon; but not that somebody else wrote, or that the controller ends.
func explain(out *member.Outcome, step member.Step, err error) (refused bool) {
	switch p := problemOf(err); {
	case apierrors.IsConflict(err), errors.Is(err, context.Canceled):
		return false
	case p == nil && step.Making():
		out.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByFailure, Problem: condition.Problem{
			Reason: v1alpha1.ReasonCreateFailed, Message: "It is tried again all the while. The answer: " + steady(err),
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

// unsteady are those parts of an error's text that differ each time though its cause is the same: the port of our own
// end of a connection, and the time at which a certificate was looked at. A condition that changes each time is a
// write each time.
var unsteady = regexp.MustCompile(`\S+:\d+->|current time \S+ `)

// steady is the text of an error without what differs each time.
func steady(err error) string { return unsteady.ReplaceAllString(err.Error(), "") }
