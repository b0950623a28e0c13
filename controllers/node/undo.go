package node

import (
	"context"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// undoDrain brings back the drain request of a drain that goes on without one, as one that was canceled: cancelDrain
// then undoes what was done for it, whatever fails meanwhile. It asks Nomad's leader first, and then if there is really
// no request: a stale cache may lack one.
func (r *Reconciler) undoDrain(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	fresh, found, err := r.asked(ctx, s, out)
	if err != nil {
		return err
	}
	if !found || !member.DrainsForNothing(fresh) {
		out.RetryAfter = viewRetry // undone already, or the node is external; the view catches up in a moment
		return nil
	}
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	now := s.observed.Now
	err = r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) {
		n.Spec.Drain = nodestate.NewDrainRequest(fresh.Nomad.DrainID, v1alpha1.DrainScaleIn, now, now)
		n.Spec.Drain.Cancel(now)
	})
	if err == nil {
		r.Events.drainUndone(s.node)
	}
	return err
}
