package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// observeOther looks for a node of another ID as which the member's guest may have registered: among the listed nodes
// for those that have the member's name or its VM's address, and then in their meta, which the list doesn't have. If
// there are several, one with work counts. The error is that it isn't this member's turn to ask.
func (r *Reconciler) observeOther(ctx context.Context, s *scope) error {
	if s.link.Cluster == nil || !member.ChecksForOther(s.observed) {
		return nil
	}
	for _, id := range otherNodes(s) {
		in, err := s.link.Cluster.Inspect(ctx, id)
		if _, busy := errors.AsType[*nomad.BusyError](err); busy {
			return err
		}
		if err != nil { // it may have work
			s.observed.Nomad = nodestate.Nomad{Why: fmt.Sprintf(
				"Its list has a node of this member's name under another ID, and asked for that it says: %s", nomad.Cause(err))}
			return nil
		}
		if !in.Found || in.Node.Member != s.node.Name || in.Node.PoolUID != s.node.Spec.PoolUID {
			continue
		}
		other := &nodestate.OtherNode{ID: id, Live: memberAllocations(in.Live)}
		if was := s.observed.Nomad.Other; was == nil || len(was.Live) == 0 {
			s.observed.Nomad.Other = other
		}
	}
	return nil
}

// otherNodes are the IDs of the listed nodes that may be the guest's. Nothing runs on one that is down.
func otherNodes(s *scope) []string {
	address := s.node.Status.VM.Address
	var ids []string
	for id, v := range s.link.View.Nodes {
		if id != s.node.Spec.NodeID && v.Status != nomad.NodeDown &&
			(v.Name == s.node.Name || address != "" && v.Address == address) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
