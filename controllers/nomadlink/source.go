package nomadlink

import (
	"context"
	"sync"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// NomadSource is the source of events that come from Nomad: it wakes the members whose nodes or allocations have
// changed, and all pools and members that use a connection when its health changes.
type NomadSource struct {
	Connections  *Connections
	mu           sync.Mutex
	pools, nodes kube.Queue
}

// OfPools is the event source of the pool controller.
func (n *NomadSource) OfPools() source.Func { return n.into(&n.pools) }

// OfNodes is the event source of the node controller.
func (n *NomadSource) OfNodes() source.Func { return n.into(&n.nodes) }

func (n *NomadSource) into(q *kube.Queue) source.Func {
	return func(_ context.Context, of kube.Queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		*q = of
		return nil
	}
}

// Changed is called by the watcher of a Nomad cluster. No IDs: its health has changed.
func (n *NomadSource) Changed(of nomad.Cluster, nodeIDs []string) {
	n.mu.Lock()
	pools, nodes := n.pools, n.nodes
	n.mu.Unlock()
	for _, w := range n.Connections.uses.wakes(of, nodeIDs, n.Connections.Clock.Now()) {
		q := pools
		if w.member {
			q = nodes
		}
		if q == nil {
			continue // that controller hasn't started; its first reconciles see everything
		}
		priority := kube.Routine
		if !w.member || w.leaves {
			priority = kube.Urgent
		}
		kube.Enqueue(q, ctrl.Request{NamespacedName: w.name}, priority, w.after)
	}
}
