package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// acceptedFor is for how long it proves something that the VM of a template was accepted: admission may change.
const acceptedFor = 10 * time.Minute

// growthFactor is how many members are made for each whose VM was accepted.
const growthFactor = 10

// slowStart has one member made first, and ten for each whose VM has been accepted. A template that admission refuses
// then costs one refusal and not a hundred, as does what only admission knows the end of, such as a quota of objects.
func slowStart(x *index, missing int) (int, *nodestate.Blocked) {
	if b := x.firstBlocked(x.blocksOthers); b != nil {
		return 0, b
	}
	accepted, pending := 0, 0
	for _, m := range x.active {
		switch {
		case m.Revision != x.Revision || nameTaken(m):
		case !m.VMMade:
			pending++
		case x.Now.Sub(m.Created) < acceptedFor:
			accepted++
		}
	}
	allowed := max(growthFactor*accepted, 1) - pending
	if allowed >= missing {
		return missing, nil
	}
	return max(allowed, 0),
		blockedBy("", v1alpha1.ReasonCreating, "More members are made as the VMs of the first ones are accepted.")
}
