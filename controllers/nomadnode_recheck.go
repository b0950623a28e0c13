package controllers

import (
	"context"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// recheck takes an order back that holds only for an empty member, if Nomad says that the member isn't: it was empty when
// the pool chose it, but its node took work until it was made ineligible. Nomad's leader is asked for the node first and
// then for its allocations, so that none can have been placed since. It returns true if the member is to be drained.
func (r *NomadNodeReconciler) recheck(ctx context.Context, s *nodeScope) (bool, error) {
	if !member.Rechecks(s.observed) {
		return true, nil
	}
	in, err := s.link.Cluster.Inspect(ctx, s.node.Spec.NodeID)
	if err != nil {
		return false, err
	}
	fresh := s.observed
	fresh.Nomad = member.Nomad{Known: true}
	if in.Found {
		setNodeFacts(&fresh.Nomad, in.Node)
	}
	if !member.Rechecks(fresh) {
		return true, nil // it has gone down, or another one of us has sent the drain
	}
	if in.Node.Eligible {
		return false, r.cordon(ctx, s, member.Decision{})
	}
	occupant, occupied := member.Occupant(memberAllocations(in.Live), s.node.Spec.Drain.OnlyIf)
	if !occupied {
		return true, nil
	}
	if err := r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) { n.Spec.Drain.Canceled = true }); err != nil {
		return false, err
	}
	r.Events.drainWithdrawn(s.node, occupant.Name)
	return false, nil
}
