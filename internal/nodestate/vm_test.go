package nodestate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

func TestVMIsHaltedByItsRunStrategy(t *testing.T) {
	for strategy, want := range map[kubevirtv1.VirtualMachineRunStrategy]bool{
		kubevirtv1.RunStrategyHalted: true, kubevirtv1.RunStrategyRerunOnFailure: false,
	} {
		vm := &kubevirtv1.VirtualMachine{}
		vm.Spec.RunStrategy = &strategy
		if got := VMOf(&v1alpha1.NomadNode{}, vm).Halted; got != want {
			t.Errorf("%s: %t", strategy, got)
		}
	}
	if VMOf(&v1alpha1.NomadNode{}, &kubevirtv1.VirtualMachine{}).Halted {
		t.Error("a VM without a run strategy counts as halted")
	}
}

// Harvester's UI lists the claims just before it deletes a VM, and leaves the list there if that is refused.
func TestRemovalThatWasTried(t *testing.T) {
	listed := func(vm *kubevirtv1.VirtualMachine) { vm.Annotations[RemovedClaimsAnnotation] = "p-1-root" }
	allowed := func(vm *kubevirtv1.VirtualMachine) {
		listed(vm)
		vm.Annotations[v1alpha1.AllowDeleteAnnotation] = "true"
	}
	going := func(vm *kubevirtv1.VirtualMachine) {
		listed(vm)
		now := metav1.NewTime(noon)
		vm.DeletionTimestamp = &now
	}
	for name, c := range map[string]struct {
		change func(*kubevirtv1.VirtualMachine)
		want   bool
	}{
		"it was":               {listed, true},
		"it wasn't":            {func(*kubevirtv1.VirtualMachine) {}, false},
		"somebody may do that": {allowed, false},
		"the VM is on its way": {going, false},
	} {
		vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}}}
		c.change(vm)
		is := VMOf(&v1alpha1.NomadNode{}, vm)
		if is.RemovalTried != c.want || is.Deleting == is.DeletingSince.IsZero() {
			t.Errorf("%s: %+v", name, is)
		}
	}
}

func TestFailureIsKubeVirtsExplanation(t *testing.T) {
	for name, c := range map[string]struct {
		condition kubevirtv1.VirtualMachineCondition
		want      string
	}{
		"it can't run": {kubevirtv1.VirtualMachineCondition{Type: kubevirtv1.VirtualMachineFailure,
			Status: corev1.ConditionTrue, Message: "no PVC"}, "no PVC"},
		"it could not": {kubevirtv1.VirtualMachineCondition{Type: kubevirtv1.VirtualMachineFailure,
			Status: corev1.ConditionFalse, Message: "no PVC"}, ""},
		"something else is so": {kubevirtv1.VirtualMachineCondition{Type: kubevirtv1.VirtualMachineReady,
			Status: corev1.ConditionTrue, Message: "ready"}, ""},
	} {
		vm := &kubevirtv1.VirtualMachine{}
		vm.Status.Conditions = []kubevirtv1.VirtualMachineCondition{c.condition}
		if got := VMOf(&v1alpha1.NomadNode{}, vm).Failure; got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestInstanceRunsInItsPhase(t *testing.T) {
	for phase, want := range map[kubevirtv1.VirtualMachineInstancePhase]bool{
		kubevirtv1.Running: true, kubevirtv1.Scheduling: false, kubevirtv1.Succeeded: false,
	} {
		vmi := &kubevirtv1.VirtualMachineInstance{}
		vmi.Status.Phase = phase
		if is := InstanceOf(vmi); is.Running != want || is.Ended != (phase == kubevirtv1.Succeeded) ||
			!is.DeletingSince.IsZero() {
			t.Errorf("%s: %+v", phase, is)
		}
	}
	gone, vmi := metav1.NewTime(noon), &kubevirtv1.VirtualMachineInstance{}
	vmi.DeletionTimestamp = &gone
	if is := InstanceOf(vmi); !is.DeletingSince.Equal(noon) {
		t.Errorf("deleted at noon: %+v", is)
	}
}

// While a claim is missing KubeVirt writes the same condition, and then the phase is Pending.
func TestNoHostCanTakeAnInstance(t *testing.T) {
	const podScheduled = kubevirtv1.VirtualMachineInstanceConditionType(corev1.PodScheduled)
	full := kubevirtv1.VirtualMachineInstanceCondition{Type: podScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available"}
	with := func(change func(*kubevirtv1.VirtualMachineInstanceCondition)) kubevirtv1.VirtualMachineInstanceCondition {
		c := full
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		phase     kubevirtv1.VirtualMachineInstancePhase
		condition kubevirtv1.VirtualMachineInstanceCondition
		want      string
	}{
		"no host":            {kubevirtv1.Scheduling, full, "0/3 nodes are available"},
		"a claim is missing": {kubevirtv1.Pending, full, ""},
		"it runs":            {kubevirtv1.Running, full, ""},
		"another condition": {kubevirtv1.Scheduling,
			with(func(c *kubevirtv1.VirtualMachineInstanceCondition) { c.Type = "Ready" }), ""},
		"a host takes it": {kubevirtv1.Scheduling,
			with(func(c *kubevirtv1.VirtualMachineInstanceCondition) { c.Status = corev1.ConditionTrue }), ""},
		"another reason": {kubevirtv1.Scheduling,
			with(func(c *kubevirtv1.VirtualMachineInstanceCondition) { c.Reason = "SchedulingGated" }), ""},
	} {
		vmi := &kubevirtv1.VirtualMachineInstance{}
		vmi.Status.Phase = c.phase
		vmi.Status.Conditions = []kubevirtv1.VirtualMachineInstanceCondition{c.condition}
		if got := InstanceOf(vmi).Unschedulable; got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// KubeVirt evacuates others by itself.
func TestHostThatIsEvacuated(t *testing.T) {
	external, migrates := kubevirtv1.EvictionStrategyExternal, kubevirtv1.EvictionStrategyLiveMigrate
	for name, c := range map[string]struct {
		strategy *kubevirtv1.EvictionStrategy
		want     string
	}{
		"left to us": {&external, "host-1"},
		"migrated":   {&migrates, ""},
		"not said":   {nil, ""},
	} {
		vmi := &kubevirtv1.VirtualMachineInstance{}
		vmi.Spec.EvictionStrategy, vmi.Status.EvacuationNodeName = c.strategy, "host-1"
		if got := InstanceOf(vmi).EvacuatedFrom; got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
