package controllers

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// nodeIDIndex finds a member by its Nomad node ID.
const nodeIDIndex = "spec.nodeID"

type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]

// nomadSource is the source of events that come from Nomad: it wakes the members whose nodes or allocations have changed, and
// everything when Nomad comes or goes.
type nomadSource struct {
	reader       client.Reader
	mu           sync.Mutex
	ctx          context.Context // the controllers'
	pools, nodes queue
}

// ofPools and ofNodes are the sources of the two controllers.
func (n *nomadSource) ofPools() source.Func { return n.into(&n.pools) }
func (n *nomadSource) ofNodes() source.Func { return n.into(&n.nodes) }

func (n *nomadSource) into(q *queue) source.Func {
	return func(ctx context.Context, of queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.ctx, *q = ctx, of
		return nil
	}
}

// changed is called by the Nomad watcher. nil: everything.
func (n *nomadSource) changed(nodeIDs []string) {
	n.mu.Lock()
	ctx, pools, nodes := n.ctx, n.pools, n.nodes
	n.mu.Unlock()
	if pools == nil || nodes == nil {
		return // not started; the first reconciles see everything
	}
	if nodeIDs == nil {
		n.everything(ctx, pools, nodes)
		return
	}
	for _, id := range nodeIDs {
		n.add(ctx, nodes, client.MatchingFields{nodeIDIndex: id})
	}
}

func (n *nomadSource) everything(ctx context.Context, pools, nodes queue) {
	var l v1alpha1.NomadNodePoolList
	if err := n.reader.List(ctx, &l); err != nil {
		log.FromContext(ctx).Error(err, "NomadNodePools can't be listed to tell them of a change in Nomad")
	}
	for i := range l.Items {
		pools.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
	}
	n.add(ctx, nodes)
}

// add wakes the members that an option of a list names. The cache serves the list, so that it fails only while the process ends.
func (n *nomadSource) add(ctx context.Context, nodes queue, which ...client.ListOption) {
	var l v1alpha1.NomadNodeList
	if err := n.reader.List(ctx, &l, which...); err != nil {
		log.FromContext(ctx).Error(err, "NomadNodes can't be listed to tell them of a change in Nomad")
	}
	for i := range l.Items {
		nodes.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
	}
}
