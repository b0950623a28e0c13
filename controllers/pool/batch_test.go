package pool

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func TestBatchJobsOnANode(t *testing.T) {
	on := func(kind, desired string) nomad.Allocation {
		return nomad.Allocation{JobType: kind, ClientStatus: "running", DesiredStatus: desired}
	}
	for name, c := range map[string]struct {
		live []nomad.Allocation
		age  time.Duration
		want nodestate.Batch
	}{
		"none":              {[]nomad.Allocation{on("service", "stop"), on("system", "run")}, 0, nodestate.Batch{Known: true}},
		"runs":              {[]nomad.Allocation{on("batch", "run")}, 0, nodestate.Batch{Known: true, Live: true}},
		"runs on each node": {[]nomad.Allocation{on("sysbatch", "run")}, 0, nodestate.Batch{Known: true, Live: true}},
		"one of two stops": {[]nomad.Allocation{on("batch", "stop"), on("batch", "run")}, 0,
			nodestate.Batch{Known: true, Live: true, Stopping: true}},
		"too old": {nil, nomadlink.AllocationsLimit, nodestate.Batch{}},
	} {
		t.Run(name, func(t *testing.T) {
			view := nomad.AllocationsView{Started: now.Add(-c.age), Live: map[string][]nomad.Allocation{"n": c.live}}
			if got := batchOn(view, "n", now); got != c.want {
				t.Errorf("got %+v", got)
			}
			if got := batchOn(view, "other", now); got.Known {
				t.Errorf("of a node that wasn't asked about: %+v", got)
			}
		})
	}
}
