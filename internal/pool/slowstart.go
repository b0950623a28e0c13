package pool

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// slowStart limits how many of the missing members are made now to as many as have had their VM accepted already, at
// least one. A template that admission refuses then costs one refusal and not a hundred, and a good one doubles.
func slowStart(x *index, missing int) (int, *nodestate.Blocked) {
	if b := x.firstBlocked(x.blocksOthers); b != nil {
		return 0, b
	}
	accepted, pending := 0, 0
	for _, m := range x.active {
		switch {
		case m.Revision != x.Revision || nameTaken(m):
		case m.VMMade:
			accepted++
		default:
			pending++
		}
	}
	allowed := max(accepted, 1) - pending
	if allowed >= missing {
		return missing, nil
	}
	return max(allowed, 0),
		blockedBy("", v1alpha1.ReasonCreating, "More members are made as the VMs of the first ones are accepted.")
}
