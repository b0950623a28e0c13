package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// observeOther looks for a node of another ID as which the member's guest may have registered: among the listed nodes
// for those that have the member's name or its VM's address, and then in their meta, which the list doesn't have. The
// error is that it isn't this member's turn to ask.
func (r *Reconciler) observeOther(ctx context.Context, s *scope) error {
	if s.link.Cluster == nil || !member.ChecksForOther(s.observed) {
		return nil
	}
	var ids []string
	for id, v := range s.link.View.Nodes {
		if mayBeOther(s, v) {
			ids = append(ids, id)
		}
	}
	other, err := r.inspectOthers(ctx, s, ids)
	if _, busy := errors.AsType[*nomad.BusyError](err); busy {
		return err
	}
	if err != nil { // it may have work
		s.observed.Nomad = nodestate.Nomad{Why: fmt.Sprintf(
			"Its list has a node of this member's name under another ID, and asked for that it says: %s", nomad.Cause(err))}
		return nil
	}
	s.observed.Nomad.Other = other
	return nil
}

// busyOther does the same before a step that can't be undone, and asks Nomad's leader for the list too: the guest
// may have registered a moment ago, or got work since it was looked at. It returns a node that has work which a drain
// waits for; nil: the guest has none. in is what the leader answers of the member's own node.
func (r *Reconciler) busyOther(ctx context.Context, s *scope, in nomad.Inspection) (*nodestate.OtherNode, error) {
	fresh := s.observed
	fresh.Nomad = nodestate.Nomad{Known: true}
	if in.Found {
		fresh.Nomad = nomadlink.NodeOf(s.node, in.Node)
	}
	if !member.MayHaveOther(fresh) {
		return nil, nil
	}
	nodes, err := s.link.Cluster.NodesOf(ctx, s.node.Spec.PoolUID, s.node.Name)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, v := range nodes {
		if mayBeOther(s, v) {
			ids = append(ids, v.ID)
		}
	}
	other, err := r.inspectOthers(ctx, s, ids)
	if other == nil || len(member.WaitedFor(other.Live, s.node.Spec.ScaleIn.Drain)) == 0 {
		return nil, err
	}
	return other, nil
}

// inspectOthers asks Nomad's leader for nodes, and returns the one that says that it is this member's guest; nil: none
// does. If there are several, one with work counts.
func (r *Reconciler) inspectOthers(ctx context.Context, s *scope, ids []string) (*nodestate.OtherNode, error) {
	slices.Sort(ids)
	var found *nodestate.OtherNode
	for _, id := range ids {
		in, err := s.link.Cluster.Inspect(ctx, id)
		if err != nil {
			return nil, err
		}
		if !in.Found || in.Node.Member != s.node.Name || in.Node.PoolUID != s.node.Spec.PoolUID {
			continue
		}
		if found == nil || len(found.Live) == 0 {
			found = &nodestate.OtherNode{ID: id, Live: memberAllocations(in.Live)}
		}
	}
	return found, nil
}

// mayBeOther is true for a listed node of another ID that has the member's name or its VM's address. Nothing runs on
// one that is down.
func mayBeOther(s *scope, v nomad.Node) bool {
	address := s.node.Status.VM.Address
	return v.ID != s.node.Spec.NodeID && v.Status != nomad.NodeDown &&
		(v.Name == s.node.Name || address != "" && v.Address == address)
}
