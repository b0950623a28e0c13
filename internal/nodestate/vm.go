package nodestate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

const (
	// AboveQuotaAnnotation is why Harvester has halted a VM. Harvester: pkg/util/constants.go
	// AnnotationInsufficientResourceQuota.
	AboveQuotaAnnotation = "harvesterhci.io/insufficient-resource-quota"
	// RemovedClaimsAnnotation lists the claims that Harvester removes together with a VM.
	// Harvester: pkg/controller/master/virtualmachine/vm_controller.go.
	RemovedClaimsAnnotation = "harvesterhci.io/removedPersistentVolumeClaims"
)

// OwnsVM is true for the member's VM. That is the VM whose UID was recorded, even if its labels and annotations have
// changed since. While no UID is recorded, it is the VM that has all labels and annotations of the member's.
func OwnsVM(n *v1alpha1.NomadNode, vm *kubevirtv1.VirtualMachine) bool {
	if recorded := n.Status.VM.UID; recorded != "" {
		return recorded == string(vm.UID)
	}
	return blueprint.IsMember(vm, n.Spec.PoolName, n.Spec.PoolUID) &&
		vm.Annotations[v1alpha1.NodeIDAnnotation] == n.Spec.NodeID
}

// ClaimsOf are the names of a member's claims: those that were recorded when its VM was made or, before that, those
// that follow from its spec, which doesn't change.
func ClaimsOf(n *v1alpha1.NomadNode) []string {
	if len(n.Status.Claims) > 0 {
		return n.Status.Claims
	}
	return blueprint.ClaimNames(blueprint.MemberOf(n))
}

// VMOf reads the VM of the member's name.
func VMOf(n *v1alpha1.NomadNode, vm *kubevirtv1.VirtualMachine) VM {
	out := VM{
		Exists:        true,
		Owned:         OwnsVM(n, vm),
		Deleting:      vm.DeletionTimestamp != nil,
		Finalizers:    vm.Finalizers,
		Taken:         slices.Contains(vm.Finalizers, kubevirtv1.VirtualMachineControllerFinalizer),
		Halted:        vm.Spec.RunStrategy != nil && *vm.Spec.RunStrategy == kubevirtv1.RunStrategyHalted,
		Status:        string(vm.Status.PrintableStatus),
		AboveQuota:    vm.Annotations[AboveQuotaAnnotation],
		RemovalListed: vm.Annotations[RemovedClaimsAnnotation] == strings.Join(ClaimsOf(n), ","),
	}
	_, allowed := vm.Annotations[v1alpha1.AllowDeleteAnnotation]
	out.RemovalTried = vm.Annotations[RemovedClaimsAnnotation] != "" && !out.Deleting && !allowed
	if out.Deleting {
		out.DeletingSince = vm.DeletionTimestamp.Time
	}
	for _, c := range vm.Status.Conditions {
		if VMFails(c) {
			out.Failure = c.Message
		}
	}
	return out
}

// VMFails is true for the condition that says why a VM can't run. No other one of a VM is read.
func VMFails(c kubevirtv1.VirtualMachineCondition) bool {
	return c.Type == kubevirtv1.VirtualMachineFailure && c.Status == corev1.ConditionTrue
}

// Unschedulable is true for the condition that says why no host takes an instance. No other one of an instance is read.
func Unschedulable(c kubevirtv1.VirtualMachineInstanceCondition) bool {
	return string(c.Type) == string(corev1.PodScheduled) && c.Status == corev1.ConditionFalse &&
		c.Reason == corev1.PodReasonUnschedulable
}

// InstanceOf reads a VM's instance.
func InstanceOf(vmi *kubevirtv1.VirtualMachineInstance) Instance {
	out := Instance{
		Exists: true, Running: vmi.Status.Phase == kubevirtv1.Running, Ended: vmi.IsFinal(), Host: vmi.Status.NodeName,
		EvacuatedFrom: evacuatedFrom(vmi),
	}
	if vmi.DeletionTimestamp != nil {
		out.DeletingSince = vmi.DeletionTimestamp.Time
	}
	// KubeVirt copies the Pod's condition (KubeVirt: pkg/virt-controller/watch/vmi/lifecycle.go). It writes the same
	// condition while a claim is missing, but then there is no Pod, and the phase is Pending.
	for _, c := range vmi.Status.Conditions {
		if vmi.IsScheduling() && Unschedulable(c) {
			out.Unschedulable, out.UnschedulableSince = c.Message, c.LastTransitionTime.Time
		}
	}
	return out
}

// evacuatedFrom is the host that KubeVirt evacuates, if it leaves the removal of the instance to this controller.
func evacuatedFrom(vmi *kubevirtv1.VirtualMachineInstance) string {
	if s := vmi.Spec.EvictionStrategy; s == nil || *s != kubevirtv1.EvictionStrategyExternal {
		return ""
	}
	return vmi.Status.EvacuationNodeName
}
