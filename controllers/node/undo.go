package node

import (
	"context"

	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// undoDrain cancels a drain whose request is gone, and makes the node eligible if it was made ineligible for that
// request. It asks Nomad's leader first, and then if there is really no request: a stale cache may lack one.
func (r *Reconciler) undoDrain(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	in, err := r.inspect(ctx, s, out)
	if err != nil || out.Nomad != nil { // or the node is external
		return err
	}
	fresh := s.observed
	if in.Found {
		fresh.Nomad = nomadlink.NodeOf(s.node, in.Node)
	}
	if !in.Found || !member.DrainsForNothing(fresh) {
		out.RetryAfter = viewRetry // undone already; the view catches up in a moment
		return nil
	}
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	eligible := fresh.Node.CordonedFor == fresh.Nomad.DrainID
	undo := s.link.Cluster.CancelDrain
	if eligible {
		undo = s.link.Cluster.Uncordon
	}
	if err := ignoreNodeNotFound(undo(ctx, s.node.Spec.NodeID)); err != nil {
		return err
	}
	r.Events.drainUndone(s.node, eligible)
	return nil
}
