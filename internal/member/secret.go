package member

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// NeedsSecret is true for a member whose VM waits for capacity, or is halted, before its guest has joined: the guest
// reads the cloud-init Secret when it boots. Without the Secret its VM starts for ever, and for Harvester a VM that
// doesn't run is above its quota for ever.
func NeedsSecret(o nodestate.State) bool {
	waits := o.VM.Halted || o.VM.AboveQuota != "" || o.Instance.Unschedulable != ""
	return waits && !o.Node.Joined && !o.Node.Leaving() && o.VM.Owned && !o.VM.Deleting && !o.Instance.Running
}

// secretLost is true for such a member whose Secret somebody has deleted, if it can be made again.
func secretLost(o nodestate.State) bool { return o.SecretMissing && o.Problem == nil && NeedsSecret(o) }

// secretNotMade tells why the Secret of such a member can't be made again.
func secretNotMade(o nodestate.State) (metav1.Condition, bool) {
	if !o.SecretMissing || o.Problem == nil || !NeedsSecret(o) {
		return metav1.Condition{}, false
	}
	return condition.False(o.Problem.Reason,
		"Somebody has deleted the member's cloud-init Secret, without which its guest doesn't boot, and it can't be made "+
			"again: "+o.Problem.Message), true
}
