package node

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Harvester's UI shows the Events of a VM, and not those of its NomadNode. Who looks at a VM there must learn why it
// drains, until when, and that it goes. So these Events are emitted twice, the second time regarding the VM. They are
// few: a member with nothing to drain has none of them.

// vmOf refers to a member's VM; nil: none was seen.
func vmOf(n *v1alpha1.NomadNode) *corev1.ObjectReference {
	if n.Status.VM.UID == "" {
		return nil
	}
	return &corev1.ObjectReference{APIVersion: kubevirtv1.SchemeGroupVersion.String(), Kind: "VirtualMachine",
		Namespace: n.Namespace, Name: n.Name, UID: types.UID(n.Status.VM.UID)}
}

func (e emitter) normalOfVM(n *v1alpha1.NomadNode, reason, action, format string, args ...any) {
	if vm := vmOf(n); vm != nil {
		e.Normal(vm, n, reason, action, format, args...)
	}
}

func (e emitter) warnOfVM(n *v1alpha1.NomadNode, reason, action, format string, args ...any) {
	if vm := vmOf(n); vm != nil {
		e.WarnOf(vm, n, reason, action, format, args...)
	}
}

// vmDrains emits why a VM is about to go, and until when its work may take.
func (e emitter) vmDrains(n *v1alpha1.NomadNode) {
	until := "for as long as it runs, because onTimeout is Retain"
	if nodestate.Of(n).DrainOnTimeout() != v1alpha1.DrainRetain {
		until = "until " + n.Spec.Drain.DeadlineTime.UTC().Format(time.RFC3339)
	}
	e.normalOfVM(n, "DrainStarted", "Drain",
		"What runs on Nomad node %s has time to move %s; then this VM is removed: %s", n.Spec.NodeID, until,
		member.Because(n.Spec.Drain.Reason))
}
