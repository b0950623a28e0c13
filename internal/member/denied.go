package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// deniedAfter is how long a deleted VM may take to go before the controller checks if admission denies that. Where a
// hundred VMs go at once that takes KubeVirt half a minute, and checking each costs it as much as their deletion.
const deniedAfter = 15 * time.Second

// DeletionDenied is true for a deleted VM whose guest has stopped and whose finalizers remain: then the controller
// checks if admission denies their removal. KubeVirt and Harvester normally remove them within a moment. But
// Harvester's webhook denies every change of a VM that isn't halted and couldn't start within its namespace's quota,
// even if the VM is being deleted (Harvester: pkg/webhook/resources/virtualmachine/validator.go checkVMSpec). The
// instance remains too, because KubeVirt must first write its end into the VM's status (KubeVirt:
// pkg/virt-controller/watch/vm/vm.go updateStatus).
func DeletionDenied(o nodestate.State) bool {
	return o.Node.Drained && o.VM.Owned && o.VM.Deleting && stopped(o.Instance) &&
		!o.Now.Before(o.VM.DeletingSince.Add(deniedAfter))
}

// stopped is true when no guest runs, nor will.
func stopped(i nodestate.Instance) bool { return !i.Exists || i.Ended }

// awaitVMGone waits for the end of a deleted VM. If admission denies that for a quota, it halts the VM: a halted VM
// needs no quota, and this one won't start again.
func awaitVMGone(o nodestate.State) Decision {
	switch {
	case DeletionDenied(o) && deniedByQuota(o) && !o.VM.Halted:
		return Decision{Step: HaltVM}
	case !stopped(o.Instance):
		return Decision{Step: Wait, Wake: max(o.VM.DeletingSince.Add(stuckAfter).Sub(o.Now), 0)}
	case !DeletionDenied(o):
		return Decision{Step: Wait, Wake: o.VM.DeletingSince.Add(deniedAfter).Sub(o.Now)}
	default:
		// Quotas, and whatever else admission checks, have no watch.
		return Decision{Step: Wait, Wake: problemRetry}
	}
}

func deniedByQuota(o nodestate.State) bool {
	return o.VM.Denied != nil && o.VM.Denied.By == v1alpha1.BlockedByQuota
}
