package node

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// extendDrain writes the new deadline of a drain that is sent late, before it is sent. It asks Nomad's leader if that
// is so: the view may be older than a drain that was sent in time, and its deadline must not move. To a node that isn't
// the member's none is sent, and of one that isn't in the view the leader has just been asked (observeByID). Nor is one
// sent to that of a member whose guest has work under another ID.
func (r *Reconciler) extendDrain(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if s.observed.Nomad.Registered && !member.HasOtherWork(s.observed) {
		if overdue, err := r.confirmOverdue(ctx, s, true, out); err != nil || !overdue {
			return err
		}
	}
	deadline := metav1.NewTime(member.NewDeadline(s.observed))
	err := r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) { n.Spec.Drain.DeadlineTime = deadline })
	if err == nil {
		r.noteAccepted(s.node, func(a *accepted, _ time.Time) { a.extended = !a.drain.First.IsZero() })
		r.Events.drainExtended(s.node)
	}
	return err
}

// confirmOverdue asks Nomad's leader if the drain is overdue, or isn't, as the view has it. It returns false if the
// leader knows better, and if the node is gone or another's: then the step isn't taken.
func (r *Reconciler) confirmOverdue(ctx context.Context, s *scope, overdue bool, out *member.Outcome) (bool, error) {
	fresh, found, err := r.asked(ctx, s, out)
	if err != nil || out.Nomad != nil { // or the node is external
		return false, err
	}
	if !found || member.Overdue(fresh) != overdue {
		out.RetryAfter = viewRetry // the view catches up in a moment
		return false, nil
	}
	return true, nil
}
