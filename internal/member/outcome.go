package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Outcome is what came of a step: what is known now that wasn't when the step was chosen, and when to look again. The
// zero Outcome is that of a step that was taken, and of which the next look will tell all.
type Outcome struct {
	// Again is when to look again, if that isn't right away: the step found something in its way.
	Again time.Duration
	// Record is the record if the step has written into it, such as the order to leave, or for which order the node is
	// made ineligible; nil: it hasn't.
	Node *nodestate.Node
	// Claims are the names to be recorded; nil: none.
	Claims []string
	// VM is the VM that was made; nil: none was.
	VM *nodestate.VM
	// Started is true if a halted VM was started.
	Started bool
	// Held is why a deleted VM couldn't be halted; nil: it could.
	Held *nodestate.Blocked
	// Nomad is what Nomad's leader says of the node, where the view says otherwise; nil: the view does.
	Nomad *nodestate.Nomad
	// Problem is what keeps the member's VM from being made; nil: nothing that wasn't known.
	Problem *nodestate.Blocked
	// Refused is why a step of the removal was refused; nil: it wasn't.
	Refused *nodestate.Blocked
}

// RefusedRetry is when to try again what the API server has refused: nobody tells when it would be accepted.
const RefusedRetry = problemRetry

// After is the state with what a step has learnt.
func (out Outcome) After(s nodestate.State) nodestate.State {
	if out.Node != nil {
		s.Node = *out.Node
	}
	if out.Claims != nil {
		s.Node.ClaimsRecorded = true
	}
	if out.VM != nil {
		s.VM = *out.VM
	}
	if out.Started {
		s.VM.Halted, s.Node.CapacityAvailableTime = false, s.Now
	}
	if out.Held != nil {
		s.VM.Held = out.Held
	}
	if out.Nomad != nil {
		s.Nomad = *out.Nomad
	}
	if out.Problem != nil {
		s.Problem = out.Problem
	}
	if out.Refused != nil {
		s.Refused = out.Refused
	}
	return s
}
