package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Outcome is the result of a step: what the controller learnt that wasn't known when the step was chosen, and when to
// reconcile again. The zero Outcome means that the step was taken and that the next observation shows its effect.
type Outcome struct {
	// RetryAfter is when to reconcile again, if that isn't right away: something was in the way of the step.
	RetryAfter time.Duration
	// Node is the NomadNode if the step has written into it, such as the drain request, or for which request the node is
	// made ineligible; nil: the step hasn't.
	Node *nodestate.Node
	// Secret is true if the cloud-init Secret was made, and SecretDeleted if it was deleted.
	Secret, SecretDeleted bool
	// Introduction is true if the Secret that was made holds an introduction token, and IntroductionRemoved if that was
	// taken out of it.
	Introduction, IntroductionRemoved bool
	// IntroductionRenewed is true if the Secret got a new introduction token.
	IntroductionRenewed bool
	// CertificateEnd is when the client certificate ends that the guest is given; zero: it is given none, or that isn't
	// new.
	CertificateEnd time.Time
	// ClaimsListed is true if the VM names its claims now.
	ClaimsListed bool
	// VM is the VM that was made; nil: none was.
	VM *nodestate.VM
	// Started is true if a halted VM was started.
	Started bool
	// HaltDenied is why a deleted VM couldn't be halted; nil: it could.
	HaltDenied *nodestate.Blocked
	// Purged is true if the node was removed from Nomad.
	Purged bool
	// Nomad is what Nomad's leader reports of the node, where that differs from the view; nil: it doesn't.
	Nomad *nodestate.Nomad
	// Problem is what keeps the member's VM from being made; nil: nothing new.
	Problem *nodestate.Blocked
	// Refused is why a step of the removal was refused; nil: it wasn't.
	Refused *nodestate.Blocked
}

// RefusedRetry is when to try again what the API server has refused: no event tells when it would be accepted.
const RefusedRetry = problemRetry

// After is the state with what a step has learnt.
func (out Outcome) After(s nodestate.State) nodestate.State {
	if out.Node != nil {
		s.Node = *out.Node
	}
	if !out.CertificateEnd.IsZero() {
		s.Node.CertificateEnd = out.CertificateEnd
	}
	if out.Secret {
		s.Secret, s.SecretMissing, s.HasIntroductionToken, s.IntroductionStaleAt = true, false, out.Introduction, time.Time{}
	}
	if out.IntroductionRemoved {
		s.HasIntroductionToken = false
	}
	if out.SecretDeleted {
		s.Secret = false
	}
	if out.IntroductionRenewed {
		s.IntroductionStaleAt = time.Time{}
	}
	if out.VM != nil {
		s.VM = *out.VM
	}
	if out.ClaimsListed {
		s.VM.RemovalListed = true
	}
	if out.Started {
		s.VM.Halted, s.Node.CapacityAvailableTime = false, s.Now
	}
	if out.HaltDenied != nil {
		s.VM.Denied = out.HaltDenied
	}
	if out.Nomad != nil {
		s.Nomad = *out.Nomad
	}
	if out.Purged {
		s.Nomad.Registered = false
	}
	if out.Problem != nil {
		s.Problem = out.Problem
	}
	if out.Refused != nil {
		s.Refused = out.Refused
	}
	return s
}
