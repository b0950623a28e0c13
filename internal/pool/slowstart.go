package pool

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// slowStart has one member made first, and the rest once its VM has been accepted. A template that admission refuses
// then costs one refusal and not a hundred.
func slowStart(x *index, missing int) (int, *nodestate.Blocked) {
	if b := x.firstBlocked(x.blocksOthers); b != nil {
		return 0, b
	}
	accepted, pending := false, 0
	for _, m := range x.active {
		switch {
		case m.Revision != x.Revision || nameTaken(m):
		case m.VMMade:
			accepted = true
		default:
			pending++
		}
	}
	if accepted || missing+pending <= 1 {
		return missing, nil
	}
	return max(min(missing, 1-pending), 0),
		blockedBy("", v1alpha1.ReasonCreating, "More members are made once the VM of the first one is accepted.")
}
