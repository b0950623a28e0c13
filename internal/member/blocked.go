package member

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// blockedBy returns what keeps a member from being made, from running or from being removed; empty: nothing does. The
// order is that of the condition VMReady: a halted VM is halted although KubeVirt also reports it as failed.
func blockedBy(o nodestate.State) v1alpha1.BlockedCause {
	_, isStuck := stuck(o)
	_, lacks := lacksCapacity(o)
	neverMade := !o.VM.Exists && !o.Node.VMMade
	switch {
	case isStuck:
		return v1alpha1.BlockedByRemoval
	case lacks:
		return v1alpha1.BlockedByCapacity
	case neverMade && o.IDTaken():
		return v1alpha1.BlockedByNodeID
	case neverMade && o.Problem != nil:
		return o.Problem.By
	case o.VM.Exists && !o.VM.Owned:
		return v1alpha1.BlockedByName
	case o.VM.Halted && !o.VM.Deleting:
		return v1alpha1.BlockedByHalt
	case worksUnderOtherID(o):
		return v1alpha1.BlockedByOtherNode
	default:
		return ""
	}
}
