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
	// orphanedAfter is how long an instance that nobody deletes may outlive its VM before it is told of.
	orphanedAfter = time.Minute
)

// stuck says what keeps a member's removal from getting on; false: nothing does, or it isn't known yet.
func stuck(o nodestate.State) (metav1.Condition, bool) {
	says := ""
	switch {
	case o.Refused != nil:
		says = "The member's removal is refused. Remove what is objected to; it is tried again all the while. The refusal: " + o.Refused.Message
	case o.VM.Ours && o.VM.Deleting:
		says = stuckVM(o)
	case !o.Node.Drained || o.VM.Exists && o.VM.Ours:
		// A VM that stays isn't on its way out, and its instance and its claims aren't to go before it.
	case instanceStuck(o):
		says = stuckInstance(o)
	default:
		says = stuckClaims(o)
	}
	return condition.False(v1alpha1.ReasonDeleteStuck, says), says != ""
}

func stuckVM(o nodestate.State) string {
	switch h := o.VM.Held; {
	case aboveQuota(o):
		return "The guest is gone, but its VM isn't let go, because Harvester still holds it to the namespace's quota. It is halted, so that this ends; should it stay, raise the quota. The refusal: " + h.Message
	case h != nil:
		return "The guest is gone, but admission refuses every change of its VM, and so nobody can take a finalizer off. Remove what it objects to; it is tried again all the while. The refusal: " + h.Message
	case o.Now.Before(o.VM.DeletingSince.Add(stuckAfter)):
		return ""
	case stopped(o.Instance):
		return fmt.Sprintf(
			"The guest is gone, but its VM doesn't go away; finalizers: %s. Look for the controllers that set them: those of KubeVirt and Harvester are Pods in harvester-system.",
			strings.Join(o.VM.Finalizers, ", "))
	default:
		return fmt.Sprintf("The VM doesn't go away, because its guest may still run on %s; finalizers: %s. %s", host(o),
			strings.Join(o.VM.Finalizers, ", "), hostRemedy)
	}
}

// hostRemedy never tells anybody to take a finalizer off: KubeVirt's is all that keeps the disks of a guest that may
// run.
const hostRemedy = "See if that host answers (kubectl get nodes), and bring it back; if it is gone for good and surely off, delete its Node. Don't take KubeVirt's finalizers off while the guest may run."

func host(o nodestate.State) string {
	if o.Instance.Host == "" {
		return "a host that isn't known"
	}
	return "host " + o.Instance.Host
}

// instanceStuck is true for an instance that outlives its VM. Nobody deletes one whose VM was deleted with
// --cascade=orphan.
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
		return "The VM is gone, but its instance runs on without it, on " + host(
			o) + ". Delete the VirtualMachineInstance of the member's name, which ends the guest: kubectl delete vmi."
	}
	return "The VM is gone, but its instance doesn't go away: the guest may still run on " + host(o) + ". " + hostRemedy
}

// stuckClaims names the claims that don't go away, and what holds them; empty: none is stuck.
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
	return fmt.Sprintf(
		"Claims are being deleted and don't go away: %s; finalizers: %s. See what still uses them (kubectl describe pvc); kubernetes.io/pvc-protection waits for the Pods that do.",
		strings.Join(names, ", "), strings.Join(slices.Compact(finalizers), ", "))
}
