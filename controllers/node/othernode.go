package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
		if nomadlink.Resembles(s.node, v) {
			ids = append(ids, id)
		}
	}
	other, err := r.inspectOthers(ctx, s, ids)
	if notNow(err) {
		return err
	}
	if err != nil { // it may have work
		s.observed.Nomad = unknownOther(err)
		return nil
	}
	s.observed.Nomad.Other = other
	return nil
}

// busyOther does the same before a step that can't be undone, and asks Nomad's leader for the list too: the guest
// may have registered a moment ago, or got work since it was looked at. It returns a node that has work which a drain
// waits for; nil: the guest has none. in is what the leader answers of the member's own node. known is false if too
// many nodes may be the guest: the outcome says so, and the step isn't taken before the member's time is over.
func (r *Reconciler) busyOther(ctx context.Context, s *scope, in nomad.Inspection,
	out *member.Outcome) (busy *nodestate.OtherNode, known bool, err error) {
	fresh := s.observed
	fresh.Nomad = nodestate.Nomad{Known: true}
	if in.Found {
		fresh.Nomad = nomadlink.NodeOf(s.node, in.Node)
	}
	if !member.MayHaveOther(fresh) {
		return nil, true, nil
	}
	nodes, err := s.link.Cluster.NodesOf(ctx, s.node.Spec.PoolUID, s.node.Name)
	if err != nil {
		return nil, false, err
	}
	var ids []string
	for _, v := range nodes {
		if v.ID != s.node.Spec.NodeID && v.Status != nomad.NodeDown {
			ids = append(ids, v.ID)
		}
	}
	other, err := r.inspectOthers(ctx, s, ids)
	switch {
	case errors.Is(err, errTooManyOthers) && member.GivenUp(s.observed):
		return nil, true, nil
	case errors.Is(err, errTooManyOthers):
		unknown := unknownOther(err)
		out.Nomad, out.RetryAfter = &unknown, othersRetry
		return nil, false, nil
	case other == nil || len(member.WaitedFor(other.Live, s.node.Spec.ScaleIn.Drain)) == 0:
		return nil, true, err
	}
	return other, true, nil
}

const (
	// maxOthers is how many nodes are looked at to find the guest of one member: each takes several requests, and a
	// hostile server may list any number.
	maxOthers = 5
	// othersRetry is when to look again if there are more: only a person changes that, or the member's deadline.
	othersRetry = 30 * time.Second
)

// errTooManyOthers is like an answer that is missing, but doesn't come either when it is waited for.
var errTooManyOthers = fmt.Errorf("more than %d nodes may be this member's guest under another ID: drain and purge "+
	"those that aren't (nomad node status), and have Nomad admit clients with an introduction token alone", maxOthers)

// unknownOther describes a member of which it isn't known if its guest works under another ID.
func unknownOther(err error) nodestate.Nomad {
	if errors.Is(err, errTooManyOthers) {
		return nodestate.Nomad{Why: err.Error()}
	}
	return nodestate.Nomad{Why: fmt.Sprintf(
		"Its list has a node of this member's name under another ID, and asked for that it says: %s", nomad.Cause(err))}
}

// inspectOthers asks Nomad's leader for nodes, and returns the one that says that it is this member's guest; nil: none
// does. If there are several, one with work that a drain waits for counts, or else one with any.
func (r *Reconciler) inspectOthers(ctx context.Context, s *scope, ids []string) (*nodestate.OtherNode, error) {
	if len(ids) > maxOthers {
		return nil, errTooManyOthers
	}
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
		other := &nodestate.OtherNode{ID: id, Live: memberAllocations(in.Live)}
		if found == nil || keepsFromLeaving(s, other) > keepsFromLeaving(s, found) {
			found = other
		}
	}
	return found, nil
}

// keepsFromLeaving is how much a node of another ID is in the way of the member's leaving.
func keepsFromLeaving(s *scope, o *nodestate.OtherNode) int {
	switch {
	case len(member.WaitedFor(o.Live, s.node.Spec.ScaleIn.Drain)) > 0:
		return 2
	case len(o.Live) > 0:
		return 1
	}
	return 0
}
