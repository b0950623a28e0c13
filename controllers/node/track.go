package node

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// tracking remembers which member's allocations which Nomad is asked about each second, so that it isn't for ever: a
// record may be gone before it is looked at again, or its connection may lead elsewhere. A restart forgets it
// together with the polls.
type tracking struct {
	mu sync.Mutex
	of map[types.NamespacedName]tracked
}

type tracked struct {
	cluster nomad.Cluster
	nodeID  string
}

// set has a cluster asked about a member's allocations, and nobody else; nil: nobody.
func (t *tracking) set(name types.NamespacedName, cluster nomad.Cluster, nodeID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	is := tracked{cluster, nodeID}
	if was, ok := t.of[name]; ok && was != is {
		was.cluster.TrackAllocations(was.nodeID, false)
		delete(t.of, name)
	}
	if cluster == nil {
		return
	}
	// Each time: a cluster that was given up and is watched again has forgotten it.
	cluster.TrackAllocations(nodeID, true)
	if t.of == nil {
		t.of = map[types.NamespacedName]tracked{}
	}
	t.of[name] = is
}
