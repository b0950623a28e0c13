package sim

import (
	"bytes"
	"time"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// bootsInVain checks that no guest boots with an introduction token that has expired, once nothing keeps the
// controllers from renewing it.
func (c *checks) bootsInVain(m *memberTruth) {
	n := c.nomadNode(m)
	if c.w.faulty || c.w.now.Sub(c.w.calm) < 2*time.Minute || !m.nomad.answers() || n == nil || leaving(n) {
		return
	}
	c.w.violate("I7", m.name, "the guest boots with an introduction token that has expired")
}

// vmStarted checks that only a VM is started that Harvester has halted for a quota, before its guest has joined.
func (c *checks) vmStarted(m *memberTruth, vm *kubevirtv1.VirtualMachine) {
	n := c.nomadNode(m)
	if vm.Annotations[nodestate.AboveQuotaAnnotation] == "" || n != nil && n.Status.JoinedTime != nil {
		c.w.violate("I6", vm.Name, "a VM was started that somebody has halted")
	}
}

// secretPatched checks that of a member's Secret nothing is changed but the user data.
func (c *checks) secretPatched(before, is client.Object) {
	was, now := before.(*corev1.Secret), is.(*corev1.Secret)
	for key, value := range now.Data {
		if key != cloudinit.UserDataKey && !bytes.Equal(value, was.Data[key]) {
			c.w.violate("I6", was.Name, "%s of the Secret was changed", key)
		}
	}
}

// lacked reports whether a member has plainly had no capacity for its VM, or whether somebody had halted that, since
// well before a reconcile began.
func (c *checks) lacked(t *task, m *memberTruth, n *v1alpha1.NomadNode) (what string) {
	since := t.began.Add(-2 * time.Minute)
	vmi, vm := c.instanceOf(m), c.vmOf(m)
	switch {
	case t.p.booted.After(since):
		return ""
	case n.Spec.Drain.Reason == v1alpha1.DrainJoinTimeout && vmi != nil && vmi.Status.Phase == kubevirtv1.Scheduling &&
		len(vmi.Status.Conditions) > 0 && vmi.Status.Conditions[0].LastTransitionTime.Time.Before(since):
		return "no host had capacity for its VM"
	case vm != nil && halted(vm) && !m.halted.IsZero() && m.halted.Before(t.began.Add(-45*time.Second)):
		return "somebody had halted its VM"
	}
	return ""
}
