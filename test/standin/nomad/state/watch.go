package state

import (
	"context"
	"sync"

	"github.com/hashicorp/nomad/api"
)

// allocWatches tell thousands of clients of changes of their own allocations, each of those alone.
type allocWatches struct {
	mu    sync.Mutex
	nodes map[string]*allocWatch
}

type allocWatch struct {
	index   uint64
	changed chan struct{}
}

func newAllocWatches() *allocWatches { return &allocWatches{nodes: map[string]*allocWatch{}} }

func (w *allocWatches) of(node string) *allocWatch {
	a := w.nodes[node]
	if a == nil {
		a = &allocWatch{index: 1, changed: make(chan struct{})}
		w.nodes[node] = a
	}
	return a
}

// committed wakes those whose allocations the servers changed. What a client reports itself is no news to it.
func (w *allocWatches) committed(index uint64, changed []any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, object := range changed {
		alloc, ok := object.(*api.Allocation)
		if !ok || alloc.AllocModifyIndex != index && alloc.ModifyIndex == index {
			continue
		}
		a := w.of(alloc.NodeID)
		if a.index != index {
			a.index = index
			close(a.changed)
			a.changed = make(chan struct{})
		}
	}
}

// AwaitAllocs waits until the servers have changed an allocation of the node after that index, or ctx ends, and
// returns the index of the last such change. Nomad has the client wait so, too, and doesn't wake it for what it
// reported itself.
func (s *Store) AwaitAllocs(ctx context.Context, node string, after uint64) uint64 {
	for {
		s.allocs.mu.Lock()
		a := s.allocs.of(node)
		index, changed := a.index, a.changed
		s.allocs.mu.Unlock()
		if index > after {
			return index
		}
		select {
		case <-ctx.Done():
			return index
		case <-changed:
		}
	}
}

// reset wakes everybody: indexes may have gone back.
func (w *allocWatches) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.nodes {
		close(a.changed)
	}
	w.nodes = map[string]*allocWatch{}
}
