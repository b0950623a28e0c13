package node

import (
	"context"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// recheck asks Nomad's leader once more before a drain, for the node first and then for its allocations, so that none
// can have been placed since. It returns true if the member is to be drained.
func (r *Reconciler) recheck(ctx context.Context, s *scope, out *member.Outcome) (bool, error) {
	conditional := member.Rechecks(s.observed)
	if !conditional && s.observed.Node.Cordoned() {
		return true, nil
	}
	in, err := r.inspect(ctx, s, out)
	if err != nil || out.Nomad != nil { // or it is another's
		return false, err
	}
	if conditional {
		fresh := s.observed
		fresh.Nomad = nodestate.Nomad{Known: true}
		if in.Found {
			fresh.Nomad = nomadlink.NodeOf(in.Node)
		}
		if member.Rechecks(fresh) { // it hasn't gone down, and no other one of us has sent the drain
			return r.stillEmpty(ctx, s, in, out)
		}
	}
	if in.Found && in.Node.Eligible { // the view that said otherwise is older than the end of an earlier rescue
		return true, r.recordCordon(ctx, s)
	}
	return true, nil
}

// stillEmpty takes an order back that holds only for an empty member, if the member isn't: it was empty when the pool
// chose it, but its node took work until it was made ineligible. It returns true if the member is to be drained.
func (r *Reconciler) stillEmpty(ctx context.Context, s *scope, in nomad.Inspection, out *member.Outcome) (bool, error) {
	if in.Node.Eligible {
		return false, r.cordon(ctx, s, member.Decision{}, out)
	}
	occupant, occupied := member.RunningAllocation(memberAllocations(in.Live), s.node.Spec.Drain.OnlyIf)
	if !occupied {
		return true, nil
	}
	if err := r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) { n.Spec.Drain.Cancel(s.observed.Now) }); err != nil {
		return false, err
	}
	r.Events.drainCanceledNotEmpty(s.node, occupant.Name)
	return false, nil
}
