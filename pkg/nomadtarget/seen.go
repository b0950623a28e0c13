package nomadtarget

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// seenPools are the pools as the agent was last shown them by Status, for the Scale that comes of it. The zero value is
// ready for use.
type seenPools struct {
	mu    sync.Mutex
	pools map[types.NamespacedName]*v1alpha1.NomadNodePool
}

// put keeps a pool, without the parts that nothing is decided by.
func (s *seenPools) put(ref types.NamespacedName, pool *v1alpha1.NomadNodePool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pool.ManagedFields, pool.Spec.Template = nil, v1alpha1.NodeTemplate{}
	if s.pools == nil {
		s.pools = map[types.NamespacedName]*v1alpha1.NomadNodePool{}
	}
	s.pools[ref] = pool
}

// forget is for when another API server is asked from now on.
func (s *seenPools) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.pools)
}

// take returns the pool as it was seen, once; nil: nobody was shown it.
func (s *seenPools) take(ref types.NamespacedName) *v1alpha1.NomadNodePool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pool := s.pools[ref]
	delete(s.pools, ref)
	return pool
}
