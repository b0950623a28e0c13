package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// inspect asks Nomad's leader for the member's node. If the member doesn't own it, inspect describes it in the outcome
// and returns as if it weren't there.
func (r *Reconciler) inspect(ctx context.Context, s *scope, out *member.Outcome) (nomad.Inspection, error) {
	in, err := s.inspectNode(ctx)
	s.latest = false // it may have taken seconds
	if err != nil || !in.Found {
		return nomad.Inspection{}, err
	}
	if external := external(s, in.Node); external != nil {
		out.Nomad = external
		return nomad.Inspection{}, nil
	}
	return in, nil
}

// inspectNode asks for the member's node, and notes if it is in the former Nomad.
func (s *scope) inspectNode(ctx context.Context) (nomad.Inspection, error) {
	in, err := s.link.Cluster.Inspect(ctx, s.node.Spec.NodeID)
	if found, ok := errors.AsType[*nomadlink.FoundInFormerError](err); ok {
		s.foundIn = found.Where
	}
	return in, err
}

// asked is the state with what Nomad's leader says of the member's node, and true if it has one. If the node is
// external the outcome describes it.
func (r *Reconciler) asked(ctx context.Context, s *scope, out *member.Outcome) (nodestate.State, bool, error) {
	in, err := r.inspect(ctx, s, out)
	state := s.observed
	if in.Found {
		state.Nomad = nomadlink.NodeOf(s.node, in.Node)
	}
	return state, in.Found, err
}

// external describes a node of the member's ID that the member doesn't own; nil: it owns the node.
func external(s *scope, n nomad.Node) *nodestate.Nomad {
	named := member.Identity{Name: n.Name, PoolUID: n.PoolUID, Member: n.Member}
	// A node that is down may belong to a VM that was made, and has gone before that was recorded.
	mayHaveVM := !member.NeverMade(s.observed) || n.Status == nomad.NodeDown
	if mayHaveVM && member.Owns(s.node.Name, s.node.Spec.PoolUID, named) {
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

// observeByID asks Nomad for the member's node by its ID where the list of nodes isn't enough: the node isn't in it
// although its guest may run, or the node's name isn't the member's. It costs a few requests, and only for a member
// that leaves, or whose node has vanished from the list. The error is that it isn't this member's turn to ask.
func (r *Reconciler) observeByID(ctx context.Context, s *scope) error {
	listed, ok := s.link.View.Nodes[s.node.Spec.NodeID]
	named := member.Identity{Name: listed.Name}
	o := &s.observed.Nomad
	switch {
	case s.link.Cluster == nil, !o.Known:
		return nil
	case ok && member.NeverMade(s.observed):
		if external := external(s, listed); external != nil {
			*o = *external
		}
		return nil
	case ok && !member.ConfirmIdentity(s.observed, s.node.Name, named), !ok && !member.FindByID(s.observed):
		return nil
	}
	in, err := s.inspectNode(ctx)
	switch {
	case s.foundIn != "": // which is written now; then that Nomad is asked
		*o = nodestate.Nomad{NotAsked: true}
	case notNow(err):
		return err
	case err != nil: // unknown is not gone
		*o = nodestate.Nomad{
			Why: fmt.Sprintf(
				"Its list of nodes doesn't show this node as the member's, and asked for the node itself it says: %s",
				nomad.Cause(err)),
		}
	case !in.Found:
	default:
		if external := external(s, in.Node); external != nil {
			*o = *external
		} else if !ok && !s.observed.Node.Leaving() {
			o.MetaChanged = true
		} else if !ok {
			*o = nomadlink.NodeOf(s.node, in.Node)
			o.Live, o.LiveKnown, o.Unlisted = memberAllocations(in.Live), true, true
		}
	}
	return nil
}

// purgeOwned purges the member's node from Nomad, if Nomad has one that the member owns. It returns true if it had.
func (r *Reconciler) purgeOwned(ctx context.Context, s *scope, out *member.Outcome) (bool, error) {
	in, err := r.inspect(ctx, s, out)
	if err != nil || !in.Found {
		return false, err
	}
	return true, s.link.Cluster.Purge(ctx, s.node.Spec.NodeID)
}
