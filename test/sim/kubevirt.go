package sim

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const (
	kubevirtFinalizer  = "kubevirt.io/virtualMachineControllerFinalize"
	harvesterFinalizer = "wrangler.cattle.io/VMController.CleanupPVCAndSnapshot"
)

// kubevirt starts and stops guests. It stops them at the VM's deletionTimestamp, whatever finalizers there are.
type kubevirt struct {
	w *Environment
	// guests by the UID of the VirtualMachine, one at a time for each.
	guests map[types.UID]*guest
	// joined is what the guests of a VirtualMachine have joined since its first boot.
	joined map[types.UID]*nomadServer
	// full is until when there is no capacity for another instance.
	full time.Time
}

func newKubevirt(w *Environment) *kubevirt {
	k := &kubevirt{w: w, guests: map[types.UID]*guest{}, joined: map[types.UID]*nomadServer{}}
	w.store.watchers = append(w.store.watchers, k.watch)
	return k
}

func (k *kubevirt) watch(was, is client.Object) {
	s := k.w.chance.of("kubevirt")
	switch {
	case is == nil:
		if vm, ok := was.(*kubevirtv1.VirtualMachine); ok {
			k.w.after(s.between(0, time.Second), func() { k.stop(vm) })
		}
	case was == nil:
		if vm, ok := is.(*kubevirtv1.VirtualMachine); ok {
			k.w.after(time.Millisecond, func() {
				change(k.w.store, vm, func(vm *kubevirtv1.VirtualMachine) {
					controllerutil.AddFinalizer(vm, kubevirtFinalizer)
					controllerutil.AddFinalizer(vm, harvesterFinalizer)
				})
			})
			k.w.after(s.between(100*time.Millisecond, k.w.Boot/4), func() { k.sync(vm) })
		}
	default:
		if vm, ok := is.(*kubevirtv1.VirtualMachine); ok && stirs(was.(*kubevirtv1.VirtualMachine), vm) {
			k.w.after(s.between(10*time.Millisecond, 2*time.Second), func() { k.sync(vm) })
		}
	}
}

func stirs(was, is *kubevirtv1.VirtualMachine) bool {
	return (was.DeletionTimestamp == nil) != (is.DeletionTimestamp == nil) || halted(was) != halted(is)
}

func halted(vm *kubevirtv1.VirtualMachine) bool {
	return vm.Spec.RunStrategy != nil && *vm.Spec.RunStrategy == kubevirtv1.RunStrategyHalted
}

// sync makes the instance of a VM follow it.
func (k *kubevirt) sync(seen *kubevirtv1.VirtualMachine) {
	vm, _ := k.w.store.get(idOf(seen)).(*kubevirtv1.VirtualMachine)
	if vm == nil || vm.UID != seen.UID {
		return
	}
	switch g := k.guests[vm.UID]; {
	case vm.DeletionTimestamp != nil && g == nil:
		k.w.after(k.w.chance.of("kubevirt").between(10*time.Millisecond, time.Second), func() { k.finalize(vm) })
	case vm.DeletionTimestamp != nil || halted(vm):
		k.stop(vm)
	case g == nil && !k.w.harvester.ready(vm):
		k.w.after(5*time.Second, func() { k.sync(vm) })
	case g == nil:
		k.start(vm)
	}
}

func (k *kubevirt) start(vm *kubevirtv1.VirtualMachine) {
	vmi := &kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{
		Namespace: vm.Namespace, Name: vm.Name, Labels: vm.Spec.Template.ObjectMeta.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(vm, kubevirtv1.VirtualMachineGroupVersionKind)},
		Finalizers:      []string{"foregroundDeleteVirtualMachine"},
	}}
	vmi.Spec.EvictionStrategy = vm.Spec.Template.Spec.EvictionStrategy
	vmi.Status.Phase = kubevirtv1.Scheduling
	if k.w.store.create(vmi) != nil {
		k.w.after(5*time.Second, func() { k.sync(vm) })
		return
	}
	g := newGuest(k.w, vm)
	k.guests[vm.UID] = g
	k.show(vm, kubevirtv1.VirtualMachineStatusStarting)
	k.w.after(k.w.chance.of("kubevirt").between(time.Second, k.w.Boot/2), func() { k.run(vm, vmi, g) })
}

// run brings an instance to a host, once there is capacity.
func (k *kubevirt) run(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance, g *guest) {
	switch {
	case g.stopping:
	case k.w.now.Before(k.full):
		k.show(vm, kubevirtv1.VirtualMachineStatusUnschedulable)
		k.unschedulable(vmi)
		k.w.after(k.full.Sub(k.w.now), func() { k.run(vm, vmi, g) })
	default:
		change(k.w.store, vmi, func(i *kubevirtv1.VirtualMachineInstance) {
			i.Status.Phase, i.Status.NodeName, i.Status.Conditions = kubevirtv1.Running, k.host(), nil
		})
		k.ran(vm)
		k.show(vm, kubevirtv1.VirtualMachineStatusRunning)
		g.boot()
	}
}

func (k *kubevirt) show(vm *kubevirtv1.VirtualMachine, status kubevirtv1.VirtualMachinePrintableStatus) {
	change(k.w.store, vm, func(vm *kubevirtv1.VirtualMachine) { vm.Status.PrintableStatus = status })
}

// stop shuts the guest down, which takes up to its grace period.
func (k *kubevirt) stop(vm *kubevirtv1.VirtualMachine) {
	g := k.guests[vm.UID]
	if g == nil || g.stopping || g.orphan {
		return
	}
	g.stopping = true
	k.w.note("KubeVirt", vm.Name, "stops the guest")
	s := k.w.chance.of("kubevirt")
	k.w.after(s.between(0, time.Second), g.stop)
	k.w.after(s.rarely(4, 5*time.Second, k.w.Shutdown), func() {
		delete(k.guests, vm.UID)
		for _, o := range k.w.store.all(kindInstance) {
			if metav1.IsControlledBy(o, vm) {
				change(k.w.store, o, func(o client.Object) { o.SetFinalizers(nil) })
				_ = k.w.store.remove(idOf(o), o.GetUID()) // gone already is as good
			}
		}
		k.w.note("KubeVirt", vm.Name, "the instance is gone")
		k.show(vm, kubevirtv1.VirtualMachineStatusStopped)
		k.sync(vm)
	})
}

// finalize takes off KubeVirt's finalizer, and then lets Harvester clean up.
func (k *kubevirt) finalize(vm *kubevirtv1.VirtualMachine) {
	change(k.w.store, vm, func(vm *kubevirtv1.VirtualMachine) { controllerutil.RemoveFinalizer(vm, kubevirtFinalizer) })
	k.w.harvester.removed(vm)
}

// halt is what an operator does with Stop, and Start, in Harvester's UI.
func (k *kubevirt) halt(vm *kubevirtv1.VirtualMachine, off bool) {
	change(k.w.store, vm, func(vm *kubevirtv1.VirtualMachine) {
		strategy := kubevirtv1.RunStrategyAlways
		if off {
			strategy = kubevirtv1.RunStrategyHalted
		}
		vm.Spec.RunStrategy = &strategy
	})
}

// secretOf is the Secret without which a VM starts for ever.
func secretOf(vm *kubevirtv1.VirtualMachine) string {
	for _, v := range vm.Spec.Template.Spec.Volumes {
		if c := v.CloudInitNoCloud; c != nil && c.UserDataSecretRef != nil {
			return c.UserDataSecretRef.Name
		}
	}
	return ""
}

func (k *kubevirt) bootable(vm *kubevirtv1.VirtualMachine) bool {
	name := secretOf(vm)
	if name == "" {
		return true
	}
	_, ok := k.w.store.get(id{kindSecret, vm.Namespace, name}).(*corev1.Secret)
	return ok
}
