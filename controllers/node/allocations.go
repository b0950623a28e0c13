package node

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func memberAllocations(live []nomad.Allocation) []nodestate.Allocation {
	var out []nodestate.Allocation
	for _, a := range live {
		out = append(out,
			nodestate.Allocation{System: a.JobType == "system", Name: kube.Clamp(allocationName(a), kube.MaxWord)})
	}
	return out
}

// allocationName tells an operator what to look for: job, group and index, as nomad job status shows them, the ID,
// and when the allocation was placed; since when it runs the list of allocations doesn't say. The text stays the same
// for as long as nothing happens to the allocation, because it goes into conditions.
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
