package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// stopMargin is how long before its deadline a drain isn't canceled any more: what is sent then may arrive when Nomad
// has begun to stop allocations.
const stopMargin = 15 * time.Second

// stopsBatch reports whether a batch job's allocation is being stopped on a member's node, or is about to be. Nomad
// servers before 2.0.4 place such an allocation a second time when its node becomes eligible (hashicorp/nomad#28008),
// and the job runs twice. Which version the servers have isn't asked: the drain can be canceled when it has ended, or
// another member is made.
func stopsBatch(r nodestate.Node, n nodestate.Nomad, now time.Time) bool {
	sent := n.DrainID == r.Drain.ID && n.DrainOnTimeout != v1alpha1.DrainRetain
	ends := sent && !now.Before(r.Drain.DeadlineTime.Add(-stopMargin))
	if !n.Batch.Known {
		return ends
	}
	return n.Batch.Stopping || ends && n.Batch.Live
}
