package node

import (
	"context"
	"errors"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// cordon makes the node ineligible, if the order still holds: another leader may have taken it back, and forgotten
// it, so that nobody would undo what is done for it.
func (r *Reconciler) cordon(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if err := r.recordCordon(ctx, s); err != nil {
		return err
	}
	if latest, err := r.upToDate(ctx, s.node); err != nil || !latest {
		return err
	}
	return gone(s.link.Cluster.Cordon(ctx, s.node.Spec.NodeID))
}

// recordCordon writes down that the node is made ineligible for the intent, before it is, so that it isn't taken for an
// operator's doing later.
func (r *Reconciler) recordCordon(ctx context.Context, s *scope) error {
	if s.observed.Node.Cordoned() {
		return nil
	}
	return r.patchStatus(ctx, s, func(st *v1alpha1.NomadNodeStatus) { st.CordonedDrain = s.node.Spec.Drain.ID })
}

// rescue undoes in Nomad what was done for an order to leave that was taken back, and clears the order once nothing
// is left to be undone. Nomad itself is asked what is: the view may be older than our own cordon, and without an
// order nobody would make the node eligible again; or older than its end, which isn't to be told of twice.
func (r *Reconciler) rescue(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	in, err := r.inspect(ctx, s, out)
	if err != nil {
		return err
	}
	cordoned := !in.Node.Eligible && s.observed.Node.Cordoned()
	foreign := in.Node.Draining && (in.Node.LastDrain == nil || in.Node.LastDrain.DrainID != s.node.Spec.Drain.ID)
	if !in.Found || foreign || !in.Node.Draining && !cordoned {
		if d.Step == member.ClearDrainRequest {
			return r.clearIntent(ctx, s)
		}
		out.Again = disagreement // it is undone already, and the view catches up in a moment
		return nil
	}
	undo := s.link.Cluster.CancelDrain
	if cordoned {
		undo = s.link.Cluster.Uncordon
	}
	if err := gone(undo(ctx, s.node.Spec.NodeID)); err != nil {
		return err
	}
	r.Events.drainCanceled(s.node, cordoned)
	return nil
}

// recordCancel writes when an order to leave was taken back, as what it takes to forget it counts from then.
func (r *Reconciler) recordCancel(ctx context.Context, s *scope, _ member.Decision, _ *member.Outcome) error {
	return r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) { n.Spec.Drain.Cancel(s.observed.Now) })
}

// clearIntent removes an order to leave, and with it the wish that the member be the next to go: that was for this
// time.
func (r *Reconciler) clearIntent(ctx context.Context, s *scope) error {
	return r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) {
		n.Spec.Drain = nil
		delete(n.Annotations, v1alpha1.DeleteNextAnnotation)
	})
}

// drain has Nomad drain the node, if the order still holds.
func (r *Reconciler) drain(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if goOn, err := r.recheck(ctx, s, out); err != nil || !goOn {
		return err
	}
	if latest, err := r.upToDate(ctx, s.node); err != nil || !latest {
		return err
	}
	sent, err := s.link.Cluster.Drain(ctx, s.node.Spec.NodeID, drainRequest(s))
	if sent {
		r.Events.drainStarted(s.node)
	}
	return gone(err)
}

// kick sends a stalled drain again, and then writes that down. A crash in between kicks it twice, which does no harm:
// the deadline doesn't move later. The other way round, a kick that was lost would be missed for ever.
func (r *Reconciler) kick(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if latest, err := r.upToDate(ctx, s.node); err != nil || !latest {
		return err
	}
	err := gone(s.link.Cluster.ResendDrain(ctx, s.node.Spec.NodeID, drainRequest(s)))
	if errors.Is(err, nomad.ErrNotDraining) { // it has ended since; the view catches up in a moment
		out.Again = disagreement
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.patchStatus(ctx, s, func(st *v1alpha1.NomadNodeStatus) { st.ResentDrain = s.node.Spec.Drain.ID }); err != nil {
		return err
	}
	r.Events.drainResent(s.node)
	return nil
}

// purge removes the node from Nomad, if it is there: the view shows it for a moment after it has gone.
func (r *Reconciler) purge(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	purged, err := r.purgeOwn(ctx, s, out)
	if err != nil || !purged {
		out.Again = disagreement
		return err
	}
	r.Events.purged(s.node)
	return nil
}

func drainRequest(s *scope) nomad.DrainRequest {
	p, in, now := s.node.Spec.ScaleIn.Drain, s.node.Spec.Drain, nodestate.Of(s.node)
	return nomad.DrainRequest{
		DrainID:          in.ID,
		Remaining:        in.DeadlineTime.Sub(s.observed.Now),
		NoDeadline:       now.DrainOnTimeout() == v1alpha1.DrainRetain,
		IgnoreSystemJobs: p.IgnoreSystemJobs,
		OnlyIneligible:   !now.Cordoned(), // an operator may have made it eligible since it was looked at
		Pool:             s.node.Namespace + "/" + s.node.Spec.PoolName,
		Member:           s.node.Name,
	}
}

// gone takes a node that Nomad doesn't know for done.
func gone(err error) error {
	if errors.Is(err, nomad.ErrNodeNotFound) {
		return nil
	}
	return err
}
