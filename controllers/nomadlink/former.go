package nomadlink

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// Seen is true for a member whose node was seen in some Nomad.
func Seen(n *v1alpha1.NomadNode) bool {
	return n.Status.Nomad.Cluster != "" || n.Status.JoinedTime != nil
}

// Resembles is true for a node of another ID that has a member's name or its VM's address, so that it may be the
// member's guest. Nothing runs on one that is down.
func Resembles(n *v1alpha1.NomadNode, v nomad.Node) bool {
	address := n.Status.VM.Address
	return v.ID != n.Spec.NodeID && v.Status != nomad.NodeDown &&
		(v.Name == n.Name || address != "" && v.Address == address)
}

// or is the link to the Nomad that a member is in, of its connection's, which doesn't list it, and its former one.
// While nobody has seen the member it is that of both.
func (l Link) or(former Link, n *v1alpha1.NomadNode) Link {
	_, there := former.View.Nodes[n.Spec.NodeID]
	former.Message = strings.ReplaceAll(former.Message, "spec.nomad.", "spec.formerNomad.") // which is to be mended
	switch seen := n.Status.Nomad.Cluster; {
	case former.Where == l.Where:
		return l
	case there, seen != "" && (seen == former.Where || former.Where == "" && seen != l.Where):
		former.Former = true
		return former
	case Seen(n), !l.Known:
		return l
	case !former.Known:
		l.Known, l.NotAsked, l.Reason = false, former.NotAsked, v1alpha1.ReasonUnreachable
		l.Message = fmt.Sprintf("Its guest was given its servers while its pool led to %s, and may have joined the Nomad "+
			"there. %s", cmp.Or(former.Where, n.Spec.FormerNomad.Address), former.Message)
		return l
	}
	// A guest may have registered under another ID, by which it is found here. Copied is nothing but that: a pool has such
	// a link for each of its members that boot.
	nodes := map[string]nomad.Node{}
	for id, v := range former.View.Nodes {
		if Resembles(n, v) {
			nodes[id] = v
		}
	}
	if len(nodes) > 0 {
		maps.Copy(nodes, l.View.Nodes)
		l.View.Nodes = nodes
	}
	if former.View.RecoveredSince.After(l.View.RecoveredSince) { // its guest may have been cut off from that
		l.View.RecoveredSince = former.View.RecoveredSince
	}
	l.Cluster = both{l.Cluster, former.Cluster, n.Spec.NodeID, former.Where, n.Spec.FormerNomad.Joined}
	return l
}

// both are a member's Nomad and its former one. What is looked up before a step that can't be undone is looked up in
// both; all else is for the first.
type both struct {
	nomad.Cluster
	former nomad.Cluster
	nodeID string // the member's
	where  string // of the former
	joined bool   // by members with the same servers
}

// Inspect asks the former leader too for a node that the other one hasn't. If it has the member's, that is a
// FoundInFormerError.
func (b both) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := b.Cluster.Inspect(ctx, nodeID)
	if err != nil || in.Found {
		return in, err
	}
	if in, err = b.former.Inspect(ctx, nodeID); err == nil && in.Found && nodeID == b.nodeID {
		b.former.Refresh()
		return nomad.Inspection{}, &FoundInFormerError{Where: b.where}
	}
	return in, err
}

// FoundInFormerError is the error of a request for a member to its Nomad while the former one has its node, which it
// doesn't list yet, or not at all. Once that is written as where the member was seen, its link leads there.
type FoundInFormerError struct {
	// Where is the former Nomad's (Link.Where).
	Where string
}

// Error is error's.
func (e *FoundInFormerError) Error() string { return "the node is in the Nomad at " + e.Where }

// RetryAfter is how long to wait before the step is tried again.
func (*FoundInFormerError) RetryAfter() time.Duration { return time.Second }

// NodesOf asks both leaders.
func (b both) NodesOf(ctx context.Context, poolUID, member string) ([]nomad.Node, error) {
	here, err := b.Cluster.NodesOf(ctx, poolUID, member)
	if err != nil {
		return nil, err
	}
	there, err := b.former.NodesOf(ctx, poolUID, member)
	return append(here, there...), err
}

// IntroductionToken makes one for the Nomad that the guest will join: another's would be refused there. That is the
// former one if its servers are known to lead to it.
func (b both) IntroductionToken(ctx context.Context, name, nodePool string,
	ttl time.Duration) (jwt string, supported bool, err error) {
	if b.joined {
		return b.former.IntroductionToken(ctx, name, nodePool, ttl)
	}
	return b.Cluster.IntroductionToken(ctx, name, nodePool, ttl)
}
