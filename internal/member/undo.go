package member

import (
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// DrainsForNothing is true for a member that is wanted and whose node drains for a drain request of ours that isn't
// there any more. A snapshot from which Nomad's servers were restored brings such a drain back, and nobody else would
// end it. What else such a snapshot makes ineligible looks like an operator's doing, and stays.
func DrainsForNothing(o nodestate.State) bool {
	return o.Node.Drain == nil && !o.Node.Drained && o.Node.DeletedAt.IsZero() && o.Nomad.Known && o.Nomad.Registered &&
		o.Nomad.Draining && o.Nomad.DrainID != ""
}
