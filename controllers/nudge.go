package controllers

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// nodeIDIndex finds a member by its Nomad node ID.
const nodeIDIndex = "spec.nodeID"

type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]

// nudges is the source of events that come from Nomad: it wakes the members whose nodes or allocations have changed, and
// everything when Nomad comes or goes.
type nudges struct {
	reader       client.Reader
	mu           sync.Mutex
	pools, nodes queue
}

// nudgeSource makes a source of one of the queues.
type nudgeSource func(queue)

// Start gives the queue to the nudges.
func (f nudgeSource) Start(_ context.Context, q queue) error {
	f(q)
	return nil
}

func (n *nudges) poolSource() nudgeSource {
	return func(q queue) { n.mu.Lock(); defer n.mu.Unlock(); n.pools = q }
}

func (n *nudges) nodeSource() nudgeSource {
	return func(q queue) { n.mu.Lock(); defer n.mu.Unlock(); n.nodes = q }
}

// changed is called by the Nomad watcher. nil: everything.
func (n *nudges) changed(nodeIDs []string) {
	n.mu.Lock()
	pools, nodes := n.pools, n.nodes
	n.mu.Unlock()
	if pools == nil || nodes == nil {
		return // not started; the first reconciles see everything
	}
	ctx := context.Background()
	if nodeIDs == nil {
		n.everything(ctx, pools, nodes)
		return
	}
	for _, id := range nodeIDs {
		var l v1alpha1.NomadNodeList
		if n.reader.List(ctx, &l, client.MatchingFields{nodeIDIndex: id}) == nil {
			addAll(nodes, l.Items)
		}
	}
}

func (n *nudges) everything(ctx context.Context, pools, nodes queue) {
	var pl v1alpha1.NomadNodePoolList
	var nl v1alpha1.NomadNodeList
	if n.reader.List(ctx, &pl) == nil {
		for i := range pl.Items {
			pools.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&pl.Items[i])})
		}
	}
	if n.reader.List(ctx, &nl) == nil {
		addAll(nodes, nl.Items)
	}
}

func addAll(q queue, items []v1alpha1.NomadNode) {
	for i := range items {
		q.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&items[i])})
	}
}
