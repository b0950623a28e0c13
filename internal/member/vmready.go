package member

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const (
	// stuckAfter is how long something may take to go away before it is called stuck.
	stuckAfter = 10 * time.Minute
	// orphanedAfter is how long an instance that isn't being deleted may outlive its VM before it is reported.
	orphanedAfter = time.Minute
)

// vmReady is the condition VMReady.
func vmReady(o nodestate.State) metav1.Condition {
	if c, ok := stuck(o); ok {
		return c
	}
	if c, ok := cannotBoot(o); ok {
		return c
	}
	switch {
	case !o.VM.Exists && !o.Node.VMMade && o.IDTaken():
		return idTaken(o)
	case !o.VM.Exists:
		return noVM(o)
	case !o.VM.Owned:
		return condition.False(v1alpha1.ReasonVMNameTaken,
			"A VM of this name exists that is not this member's; it is left alone. "+
				"Delete this NomadNode to get a member of another name.")
	case o.VM.Deleting && !o.Node.Drained && byOthers(o.Node.Drain):
		return condition.False(v1alpha1.ReasonVMDeletedByOthers,
			"Somebody deleted the VM; to remove a member, delete its NomadNode instead.")
	case o.VM.Deleting, o.Node.Drained && !vmStays(o):
		return condition.False(v1alpha1.ReasonRemoving, "The VM is shutting down.")
	case o.VM.Halted:
		return condition.False(v1alpha1.ReasonVMStopped,
			"The VM is halted; somebody stopped it, or host maintenance did. Start it, or delete this NomadNode.")
	case o.VM.Failure != "":
		return condition.False(v1alpha1.ReasonVMFailed, o.VM.Failure)
	case o.Instance.Running:
		return condition.True(v1alpha1.ReasonVMRunning, "The VM runs.")
	default:
		return condition.False(v1alpha1.ReasonVMStarting, starting(o.VM))
	}
}

// cannotBoot reports whether something is in the way of a VM that waits to boot, with the condition to show.
func cannotBoot(o nodestate.State) (metav1.Condition, bool) {
	if c, ok := secretNotMade(o); ok {
		return c, true
	}
	return lacksCapacity(o)
}

// byOthers is true if somebody else deleted a VM whose member isn't drained.
func byOthers(in *v1alpha1.DrainRequest) bool {
	return in == nil || in.Reason == v1alpha1.DrainVMDeleted
}

func starting(vm nodestate.VM) string {
	if vm.Status == "" {
		return "The VM is starting."
	}
	return "The VM is starting; Harvester shows it as " + vm.Status + "."
}

func noVM(o nodestate.State) metav1.Condition {
	switch {
	case o.Node.VMMade:
		return condition.False(v1alpha1.ReasonVMGone, "The VM is gone.")
	case o.Problem != nil:
		return o.Problem.False()
	default:
		return condition.False(v1alpha1.ReasonProvisioning, "Secret and VM are being made.")
	}
}

// stuck reports whether a member's removal makes no progress, with the condition to show. Removals get some time before
// they count as stuck.
func stuck(o nodestate.State) (metav1.Condition, bool) {
	message := ""
	switch {
	case o.Refused != nil:
		message = "The member's removal is refused. Remove what is objected to; it is tried again all the while. " +
			"The refusal: " + o.Refused.Message
	case o.VM.Owned && o.VM.Deleting:
		message = stuckVM(o)
	case !o.Node.Drained || o.VM.Exists && o.VM.Owned:
		// The VM isn't being deleted, so its instance and its claims must not go either.
	case instanceStuck(o):
		message = stuckInstance(o)
	default:
		message = stuckClaims(o)
	}
	return condition.False(v1alpha1.ReasonDeleteStuck, message), message != ""
}

func stuckVM(o nodestate.State) string {
	switch denied := o.VM.Denied; {
	case deniedByQuota(o):
		return "The guest is gone, but its VM isn't let go, because Harvester still holds it to the namespace's quota. " +
			"It is halted, so that this ends; should it stay, raise the quota. The refusal: " + denied.Message
	case denied != nil:
		return "The guest is gone, but admission refuses every change of its VM, and so nobody can take a finalizer off. " +
			"Remove what it objects to; it is tried again all the while. The refusal: " + denied.Message
	case o.Now.Before(o.VM.DeletingSince.Add(stuckAfter)):
		return ""
	case stopped(o.Instance):
		return fmt.Sprintf("The guest is gone, but its VM doesn't go away; finalizers: %s. "+
			"Look for the controllers that set them: those of KubeVirt and Harvester are Pods in harvester-system.",
			strings.Join(o.VM.Finalizers, ", "))
	default:
		return fmt.Sprintf("The VM doesn't go away, because its guest may still run on %s; finalizers: %s. %s", host(o),
			strings.Join(o.VM.Finalizers, ", "), hostRemedy)
	}
}

// hostRemedy must not advise to remove a finalizer: only KubeVirt's finalizer protects the disks of a guest that may
// run.
const hostRemedy = "See if that host answers (kubectl get nodes), and bring it back; " +
	"if it is gone for good and surely off, delete its Node. " +
	"Don't take KubeVirt's finalizers off while the guest may run."

func host(o nodestate.State) string {
	if o.Instance.Host == "" {
		return "a host that isn't known"
	}
	return "host " + o.Instance.Host
}

// instanceStuck is true for an instance that outlives its VM for too long. After a deletion of the VM with
// --cascade=orphan nothing deletes the instance.
func instanceStuck(o nodestate.State) bool {
	switch {
	case !o.Instance.Exists:
		return false
	case o.Instance.DeletingSince.IsZero():
		return !o.Now.Before(removedSince(o.Node).Add(orphanedAfter))
	default:
		return !o.Now.Before(o.Instance.DeletingSince.Add(stuckAfter))
	}
}

func stuckInstance(o nodestate.State) string {
	if o.Instance.DeletingSince.IsZero() {
		return "The VM is gone, but its instance runs on without it, on " + host(o) +
			". Delete the VirtualMachineInstance of the member's name, which ends the guest: kubectl delete vmi."
	}
	return "The VM is gone, but its instance doesn't go away: the guest may still run on " + host(o) + ". " + hostRemedy
}

// stuckClaims names the claims that don't go away, with their finalizers; empty: none is stuck.
func stuckClaims(o nodestate.State) string {
	var names, finalizers []string
	for _, c := range o.Claims {
		if c.Deleting && !o.Now.Before(c.DeletingSince.Add(stuckAfter)) {
			names, finalizers = append(names, c.Name), append(finalizers, c.Finalizers...)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(finalizers)
	return fmt.Sprintf("Claims are being deleted and don't go away: %s; finalizers: %s. "+
		"See what still uses them (kubectl describe pvc); kubernetes.io/pvc-protection waits for the Pods that do.",
		strings.Join(names, ", "), strings.Join(slices.Compact(finalizers), ", "))
}
