package member

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const (
	// roomPatience is how long the scheduler may take. Until a new VM's disks are bound it finds no host either.
	roomPatience = 30 * time.Second
	// startRetry is how long after it was started a VM isn't started again that Harvester has halted once more. Its
	// admission knows of quotas that Rancher has set; those that others set stop the VM only when it is about to run.
	startRetry = time.Minute
)

// lacksRoom says why a VM doesn't run that can't be blamed for it; false: it runs, or something else is the matter.
func lacksRoom(o nodestate.State) (metav1.Condition, bool) {
	switch {
	case !o.VM.Ours || o.VM.Deleting || o.Instance.Running:
		return metav1.Condition{}, false
	case o.VM.AboveQuota != "":
		// Harvester takes its word back when the VM runs.
		return condition.False(
			v1alpha1.ReasonVMAboveQuota,
			"Harvester keeps the VM halted, because the namespace's quota has no room for it: "+o.VM.AboveQuota+". Raise the quota or remove what uses it up"+thenStarted(
				o.Node),
		), true
	case o.Instance.Unschedulable != "" && !o.Now.Before(o.Instance.UnschedulableSince.Add(roomPatience)):
		return condition.False(v1alpha1.ReasonVMUnschedulable,
			"No host can take the VM: "+o.Instance.Unschedulable+" Make room, add a host, or ask for less in spec.template; the VM starts by itself when it fits."), true
	default:
		return metav1.Condition{}, false
	}
}

func thenStarted(r nodestate.Node) string {
	if r.Joined {
		return "; then start the VM, or delete this NomadNode."
	}
	return "; the VM is then started by itself."
}

// capacityAvailableTime is when there was room at last, or when a VM was started again that somebody had halted
// before its guest had joined.
func capacityAvailableTime(o nodestate.State) time.Time {
	started := !o.Node.Joined && !o.VM.Halted && o.Node.BlockedBy == v1alpha1.BlockedByHalt
	if _, lacks := lacksRoom(o); !lacks && o.VM.Ours && (started || o.Node.LackedCapacity()) {
		return o.Now.Truncate(time.Second)
	}
	return o.Node.CapacityAvailableTime
}

// startHalted starts a VM that Harvester has halted for its namespace's quota: Harvester halts it as soon as it is
// made, and never starts it again (Harvester: pkg/controller/master/virtualmachine/vm_controller.go
// SetHaltIfInsufficientResourceQuota). While there is no room its admission refuses the start. One that has joined
// was stopped by somebody, or by its host's end, and a person starts it; false: there is nothing to start.
func startHalted(o nodestate.State) (Decision, bool) {
	if o.Node.Joined || !o.VM.Halted || o.VM.Deleting || o.VM.AboveQuota == "" {
		return Decision{}, false
	}
	if left := o.Node.CapacityAvailableTime.Add(startRetry).Sub(o.Now); left > 0 {
		return Decision{Step: Wait, Wake: left}, true
	}
	return Decision{Step: StartVM}, true
}

// joinExpired is JoinExpired of what is observed.
func joinExpired(o nodestate.State) bool {
	_, lacks := lacksRoom(o)
	return !lacks && o.Node.JoinExpired(o.Now)
}
