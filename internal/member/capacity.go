package member

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const (
	// schedulingTimeout is how long the scheduler may take. It finds no host until the disks of a new VM are bound.
	schedulingTimeout = 30 * time.Second
	// startRetry is how long after a start the controller waits before it starts a VM again that Harvester halted once
	// more. Harvester's admission checks quotas that Rancher set; other quotas stop the VM only when it is about to run.
	startRetry = time.Minute
	// startTimeout is how long after a start the VM may take to run before it no longer counts as one that waits for its
	// quota. Harvester halts it sooner if the quota still has no capacity for it.
	startTimeout = 5 * time.Minute
)

// lacksCapacity reports whether the VM waits for host capacity or namespace quota, with the condition to show.
func lacksCapacity(o nodestate.State) (metav1.Condition, bool) {
	switch {
	case !o.VM.Owned || o.VM.Deleting || o.Instance.Running:
		return metav1.Condition{}, false
	case aboveQuota(o):
		return condition.False(v1alpha1.ReasonVMAboveQuota,
			"Harvester keeps the VM halted, because the namespace's quota has no room for it: "+o.VM.AboveQuota+
				". Raise the quota or remove what uses it up"+thenStarted(o.Node)), true
	case o.Instance.Unschedulable != "" && !o.Now.Before(o.Instance.UnschedulableSince.Add(schedulingTimeout)):
		return condition.False(v1alpha1.ReasonVMUnschedulable,
			"No host can take the VM: "+o.Instance.Unschedulable+
				" Make room, add a host, or ask for less in spec.template; the VM starts by itself when it fits."), true
	default:
		return metav1.Condition{}, false
	}
}

// aboveQuota is true for a VM that waits for its namespace's quota. Harvester's annotation alone doesn't tell: it stays
// until the VM runs, and a VM that was started may never do so for another reason. What was written last counts, so
// that nothing changes in what is said of a VM that Harvester halts again.
func aboveQuota(o nodestate.State) bool {
	return o.VM.AboveQuota != "" && (o.VM.Halted || untilStarted(o) > 0)
}

// untilStarted is for how much longer a VM that was started counts as waiting for its quota; 0: it doesn't, or wasn't
// started.
func untilStarted(o nodestate.State) time.Duration {
	if o.VM.AboveQuota == "" || o.VM.Halted || !o.Node.LackedCapacity() {
		return 0
	}
	return max(o.Node.CapacityAvailableTime.Add(startTimeout).Sub(o.Now), 0)
}

func thenStarted(r nodestate.Node) string {
	if r.Joined {
		return "; then start the VM, or delete this NomadNode."
	}
	return "; the VM is then started by itself."
}

// capacityAvailableTime is when the VM got the capacity that it had lacked, or when somebody started the VM again after
// it had been halted before its guest joined.
func capacityAvailableTime(o nodestate.State) time.Time {
	started := !o.Node.Joined && !o.VM.Halted && o.Node.BlockedBy == v1alpha1.BlockedByHalt
	if _, lacks := lacksCapacity(o); !lacks && o.VM.Owned && (started || o.Node.LackedCapacity()) {
		return o.Now.Truncate(time.Second)
	}
	return o.Node.CapacityAvailableTime
}

// startHalted starts a VM that Harvester halted for its namespace's quota; false: there is nothing to start. Harvester
// halts it as soon as it is made, and never starts it again (Harvester:
// pkg/controller/master/virtualmachine/vm_controller.go SetHaltIfInsufficientResourceQuota). While the quota is used up
// its admission refuses the start. A member that has joined was stopped by a person or by the end of its host, so a
// person starts it.
func startHalted(o nodestate.State) (Decision, bool) {
	if o.Node.Joined || !o.VM.Halted || o.VM.Deleting || o.VM.AboveQuota == "" {
		return Decision{}, false
	}
	if left := o.Node.CapacityAvailableTime.Add(startRetry).Sub(o.Now); left > 0 {
		return Decision{Step: Wait, Wake: left}, true
	}
	return Decision{Step: StartVM}, true
}
