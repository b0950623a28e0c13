package node

import (
	"context"
	"fmt"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// inspect asks Nomad's leader for the member's node. One that isn't the member's is to it as if it weren't there, but
// for what the outcome says of it.
func (r *Reconciler) inspect(ctx context.Context, s *scope, out *member.Outcome) (nomad.Inspection, error) {
	in, err := s.link.Cluster.Inspect(ctx, s.node.Spec.NodeID)
	if err != nil || !in.Found {
		return nomad.Inspection{}, err
	}
	if foreign := foreign(s, in.Node); foreign != nil {
		out.Nomad = foreign
		return nomad.Inspection{}, nil
	}
	return in, nil
}

// foreign is what is known of a node of the member's ID that isn't the member's; nil: it is the member's.
func foreign(s *scope, n nomad.Node) *nodestate.Nomad {
	named := member.Identity{Name: n.Name, PoolUID: n.PoolUID, Member: n.Member}
	// One that is down may be left of a VM that was made and lost before that was written down.
	if (!member.NeverMade(s.observed) || n.Status == nomad.NodeDown) && member.Owns(s.node.Name, s.node.Spec.PoolUID, named) {
		return nil
	}
	o := nodestate.Nomad{Known: true, External: fmt.Sprintf("it is called %s", inQuotes(n.Name))}
	if n.PoolUID != "" || n.Member != "" {
		o.External += fmt.Sprintf(" and says that it is member %s of the pool with the UID %s", inQuotes(n.Member),
			inQuotes(n.PoolUID))
	}
	return &o
}

func inQuotes(name string) string { return fmt.Sprintf("%q", kube.Clamp(name, kube.MaxWord)) }

// observeClosely asks Nomad for the member's node by its ID where its list of nodes doesn't tell enough: the node
// isn't in it, though its guest may run, or isn't called what its member is. It costs a few requests, and only of a
// member that leaves.
func (r *Reconciler) observeClosely(ctx context.Context, s *scope) {
	listed, ok := s.link.View.Nodes[s.node.Spec.NodeID]
	named := member.Identity{Name: listed.Name}
	o := &s.observed.Nomad
	switch {
	case s.link.Cluster == nil, !o.Known:
		return
	case ok && member.NeverMade(s.observed):
		if foreign := foreign(s, listed); foreign != nil {
			*o = *foreign
		}
		return
	case ok && !member.ConfirmIdentity(s.observed, s.node.Name, named), !ok && !member.FindByID(s.observed):
		return
	}
	in, err := s.link.Cluster.Inspect(ctx, s.node.Spec.NodeID)
	switch {
	case err != nil: // unknown is not gone
		*o = nodestate.Nomad{
			Why: fmt.Sprintf(
				"Its list of nodes doesn't show this node as the member's, and asked for the node itself it says: %s",
				nomad.Cause(err)),
		}
	case !in.Found:
	default:
		if foreign := foreign(s, in.Node); foreign != nil {
			*o = *foreign
		} else if !ok {
			*o = nomadlink.NodeOf(in.Node)
			o.Live, o.LiveKnown, o.Unlisted = memberAllocations(in.Live), true, true
		}
	}
}

// purgeOwn has Nomad forget the member's node, if it has one. It returns true if it had.
func (r *Reconciler) purgeOwn(ctx context.Context, s *scope, out *member.Outcome) (bool, error) {
	in, err := r.inspect(ctx, s, out)
	if err != nil || !in.Found {
		return false, err
	}
	return true, s.link.Cluster.Purge(ctx, s.node.Spec.NodeID)
}
