package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// heldAfter is how long a deleted VM may take before it is asked what holds it.
const heldAfter = 5 * time.Second

// DeletionDenied is true for a deleted VM that has outlived its guest. KubeVirt and Harvester then take their
// finalizers off it and its instance in a moment, unless admission refuses that as well. Harvester's asks of every VM
// that isn't halted, even of one that is being deleted, if it could start within its namespace's quota: one that came
// since, or that others have used up, keeps the VM (Harvester: pkg/webhook/resources/virtualmachine/validator.go
// checkVMSpec), and the instance with it, of which KubeVirt must first write the end into the VM's status (KubeVirt:
// pkg/virt-controller/watch/vm/vm.go updateStatus).
func DeletionDenied(o nodestate.State) bool {
	return o.Node.Drained && o.VM.Ours && o.VM.Deleting && stopped(o.Instance) &&
		!o.Now.Before(o.VM.DeletingSince.Add(heldAfter))
}

// stopped is true when no guest runs, nor will.
func stopped(i nodestate.Instance) bool { return !i.Exists || i.Ended }

// outlive waits for the end of a deleted VM, and frees it of what holds it: a halted VM isn't held to the quota, and
// this one won't start again.
func outlive(o nodestate.State) Decision {
	switch {
	case DeletionDenied(o) && aboveQuota(o) && !o.VM.Halted:
		return Decision{Step: HaltVM}
	case !stopped(o.Instance):
		return Decision{Step: Wait, Wake: positive(o.VM.DeletingSince.Add(stuckAfter).Sub(o.Now))}
	case !DeletionDenied(o):
		return Decision{Step: Wait, Wake: o.VM.DeletingSince.Add(heldAfter).Sub(o.Now)}
	default:
		// Nobody watches quotas and whatever else admission looks at.
		return Decision{Step: Wait, Wake: problemRetry}
	}
}

func aboveQuota(o nodestate.State) bool {
	return o.VM.Held != nil && o.VM.Held.By == v1alpha1.BlockedByQuota
}
