package sim

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// reportsTrue checks that what conditions say of a member's VM isn't untrue in the two ways that cost a guest its life:
// who reads that the VM is gone, and how to delete what is left of it, does so; and who reads that the guest is gone,
// and which finalizers hold its VM, takes them off.
func (c *checks) reportsTrue(m *memberTruth, is *v1alpha1.NomadNode) {
	ready := meta.FindStatusCondition(is.Status.Conditions, v1alpha1.NodeVMReady)
	if ready != nil && strings.HasPrefix(ready.Message, "The guest is gone") && c.guestOf(m) != nil {
		c.w.violate("I6", m.name, "the guest is called gone, and runs: %s", ready.Message)
	}
	if ready != nil && strings.HasPrefix(ready.Message, "The VM is gone") && c.vmOf(m) != nil {
		c.w.violate("I6", m.name, "the VM is called gone, and is there: %s", ready.Message)
	}
}
