package node

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func memberAllocations(live []nomad.Allocation) []nodestate.Allocation {
	var out []nodestate.Allocation
	for _, a := range live {
		out = append(out, nodestate.Allocation{System: a.JobType == "system", KeptRunning: keptRunning(a),
			Name: kube.Clamp(allocationName(a), kube.MaxWord)})
	}
	return out
}

// keptRunning is true for an allocation that Nomad wants to run on. One that has failed ends by itself.
func keptRunning(a nomad.Allocation) bool {
	return a.DesiredStatus == "run" && (a.ClientStatus == "running" || a.ClientStatus == "pending")
}

// allocationName identifies an allocation for an operator: job, group and index as nomad job status shows them, the ID,
// and when it was placed. (Nomad's list of allocations doesn't show since when it runs.) The text goes into conditions,
// so it stays the same as long as nothing happens to the allocation.
func allocationName(a nomad.Allocation) string {
	name := a.Name + " (" + short(a.ID) + "), " + a.ClientStatus
	if a.Namespace != "" && a.Namespace != "default" {
		name = a.Namespace + "/" + name
	}
	if a.MovingTo != "" {
		return name + ", its data is being moved to allocation " + short(a.MovingTo)
	}
	return name + ", placed " + a.CreateTime.UTC().Format(time.RFC3339)
}

// tracking remembers which Nomad cluster is asked for which member's allocations, so that the poll can be
// ended when the NomadNode is gone, or when its connection leads to another cluster. A restart ends all polls.
type tracking struct {
	mu sync.Mutex
	of map[types.NamespacedName]tracked
}

type tracked struct {
	cluster nomad.Cluster
	nodeID  string
}

// set has this cluster alone polled for a member's allocations; nil: none.
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
	// Each time, because a cluster whose watcher has ended and started again has forgotten it.
	cluster.TrackAllocations(nodeID, true)
	if t.of == nil {
		t.of = map[types.NamespacedName]tracked{}
	}
	t.of[name] = is
}
