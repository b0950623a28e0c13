package nomadlink

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// queue is the work queue of a controller.
type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]

// NomadSource is the source of events that come from Nomad: it wakes the members whose nodes or allocations have
// changed, and all pools and members when the health of Nomad changes.
type NomadSource struct {
	Reader       client.Reader
	mu           sync.Mutex
	ctx          context.Context // the controllers'
	pools, nodes queue
}

// OfPools is the event source of the pool controller.
func (n *NomadSource) OfPools() source.Func { return n.into(&n.pools) }

// OfNodes is the event source of the node controller.
func (n *NomadSource) OfNodes() source.Func { return n.into(&n.nodes) }

func (n *NomadSource) into(q *queue) source.Func {
	return func(ctx context.Context, of queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.ctx, *q = ctx, of
		return nil
	}
}

// Changed is called by the watcher of Nomad. nil: wake all pools and members.
func (n *NomadSource) Changed(nodeIDs []string) {
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
		n.add(ctx, nodes, client.MatchingFields{kube.NodeIDField: id})
	}
}

func (n *NomadSource) everything(ctx context.Context, pools, nodes queue) {
	var l v1alpha1.NomadNodePoolList
	if err := n.Reader.List(ctx, &l); err != nil {
		log.FromContext(ctx).Error(err, "NomadNodePools can't be listed to wake them after a change in Nomad")
	}
	for i := range l.Items {
		pools.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
	}
	n.add(ctx, nodes)
}

// add wakes the members that the options of a list select. The cache serves the list, so it fails only while the
// process ends.
func (n *NomadSource) add(ctx context.Context, nodes queue, which ...client.ListOption) {
	var l v1alpha1.NomadNodeList
	if err := n.Reader.List(ctx, &l, which...); err != nil {
		log.FromContext(ctx).Error(err, "NomadNodes can't be listed to wake them after a change in Nomad")
	}
	for i := range l.Items {
		nodes.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
	}
}
