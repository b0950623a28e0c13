package member

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// blockedBy is what keeps a member from being made, from running or from going; empty: nothing does. Whatever the
// condition VMReady says of these is said here too, but it isn't decided by what the condition says first: a halted VM
// is halted though KubeVirt calls it failed as well.
func blockedBy(o nodestate.State) v1alpha1.BlockedCause {
	_, isStuck := stuck(o)
	_, lacks := lacksRoom(o)
	unmade := !o.VM.Exists && !o.Node.VMMade
	switch {
	case isStuck:
		return v1alpha1.BlockedByRemoval
	case lacks:
		return v1alpha1.BlockedByCapacity
	case unmade && o.Nomad.Foreign != "":
		return v1alpha1.BlockedByNodeID
	case unmade && o.Problem != nil:
		return o.Problem.By
	case o.VM.Exists && !o.VM.Ours:
		return v1alpha1.BlockedByName
	case o.VM.Halted && !o.VM.Deleting:
		return v1alpha1.BlockedByHalt
	default:
		return ""
	}
}
