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

// inspect asks Nomad's leader for the member's node. One that isn't the member's is to it as if it weren't there.
func (r *Reconciler) inspect(ctx context.Context, s *scope) (nomad.Inspection, error) {
	in, err := s.link.Cluster.Inspect(ctx, s.node.Spec.NodeID)
	if err != nil || in.Found && s.foreign(in.Node) {
		return nomad.Inspection{}, err
	}
	return in, nil
}

// foreign notes a node of the member's ID that isn't the member's.
func (s *scope) foreign(n nomad.Node) bool {
	named := member.Named{Name: n.Name, PoolUID: n.PoolUID, Member: n.Member}
	// One that is down may be left of a VM that was made and lost before that was written down.
	if (!member.Unmade(s.observed) || n.Status == nomad.NodeDown) && member.Owns(s.node.Name, s.node.Spec.PoolUID, named) {
		return false
	}
	o := nodestate.Nomad{Known: true, Foreign: fmt.Sprintf("it is called %s", inQuotes(n.Name))}
	if n.PoolUID != "" || n.Member != "" {
		o.Foreign += fmt.Sprintf(" and says that it is member %s of the pool with the UID %s", inQuotes(n.Member), inQuotes(n.PoolUID))
	}
	s.observed.Nomad = o
	return true
}

func inQuotes(name string) string { return fmt.Sprintf("%q", kube.Clamp(name, kube.MaxWord)) }

// observeClosely asks Nomad for the member's node by its ID where its list of nodes doesn't tell enough: the node isn't in it, though
// its guest may run, or isn't called what its member is. It costs a few requests, and only of a member that leaves.
func (r *Reconciler) observeClosely(ctx context.Context, s *scope) {
	listed, ok := s.link.View.Nodes[s.node.Spec.NodeID]
	named := member.Named{Name: listed.Name}
	switch {
	case s.link.Cluster == nil, !s.observed.Nomad.Known:
		return
	case ok && member.Unmade(s.observed):
		s.foreign(listed)
		return
	case ok && !member.Doubts(s.observed, s.node.Name, named), !ok && !member.Hides(s.observed):
		return
	}
	in, err := r.inspect(ctx, s)
	switch {
	case err != nil: // unknown is not gone
		s.observed.Nomad = nodestate.Nomad{Why: fmt.Sprintf("Its list of nodes doesn't show this node as the member's, and asked for the node itself it says: %s", nomad.Cause(err))}
	case in.Found && !ok:
		s.observed.Nomad = nomadlink.NodeOf(in.Node)
		s.observed.Nomad.Live, s.observed.Nomad.LiveKnown = memberAllocations(in.Live), true
		s.pause = disagreement // no change of the list tells of this node's
	}
}

// purgeOwn has Nomad forget the member's node, if it has one. It returns true if it had.
func (r *Reconciler) purgeOwn(ctx context.Context, s *scope) (bool, error) {
	in, err := r.inspect(ctx, s)
	if err != nil || !in.Found {
		return false, err
	}
	return true, s.link.Cluster.Purge(ctx, s.node.Spec.NodeID)
}
