package member

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Rechecks is true for a member that was ordered to leave only if it is empty, as long as no drain was sent under
// this order: now that its node is ineligible, and nothing can land on it any more, Nomad itself is to be asked what
// did since it was chosen. A member that was deleted leaves in any case, and so does one whose node is down.
func Rechecks(o nodestate.State) bool {
	in := o.Node.Drain
	return in != nil && !in.Canceled && in.OnlyIf != "" && o.Node.DeletedAt.IsZero() &&
		o.Nomad.Registered && o.Nomad.Status == "ready" && o.Nomad.DrainID != in.ID
}

// RunningAllocation is the first of a node's live allocations for whose sake an order is taken back that holds only
// for an empty member.
func RunningAllocation(live []nodestate.Allocation, onlyIf v1alpha1.ScaleInStrategy) (nodestate.Allocation, bool) {
	for _, a := range live {
		if !a.System || onlyIf != v1alpha1.EmptyIgnoreSystem {
			return a, true
		}
	}
	return nodestate.Allocation{}, false
}
