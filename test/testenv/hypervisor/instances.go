package hypervisor

import (
	"context"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	virtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// defaultGrace is KubeVirt's default of terminationGracePeriodSeconds.
const defaultGrace = 30

// watchInstances serves instances from Scheduled, where virt-controller hands them over, to their end.
func (h *Hypervisor) watchInstances(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).Named("virt-handler").For(&virtv1.VirtualMachineInstance{}).
		WatchesRawSource(source.Channel(h.domains.changes, &handler.EnqueueRequestForObject{})).
		Complete(reconcile.Func(h.reconcileInstance))
}

func (h *Hypervisor) reconcileInstance(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var instance virtv1.VirtualMachineInstance
	if err := h.Get(ctx, request.NamespacedName, &instance); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, h.clearAway(request.NamespacedName, "")
		}
		return ctrl.Result{}, err
	}
	if err := h.clearAway(request.NamespacedName, instance.UID); err != nil {
		return ctrl.Result{}, err
	}
	phase := instance.Status.Phase
	if instance.IsFinal() || (phase != virtv1.Scheduled && phase != virtv1.Running) ||
		!h.hosts.lives(instance.Status.NodeName) {
		return ctrl.Result{}, nil
	}
	if d := h.domains.get(instance.UID); d != nil {
		return ctrl.Result{}, h.follow(ctx, &instance, d)
	}
	switch {
	case instance.DeletionTimestamp != nil || phase == virtv1.Running: // its guest ended with an earlier hypervisor
		return ctrl.Result{}, h.setPhase(ctx, &instance, virtv1.Failed)
	case h.faults.neverBoots(request.NamespacedName):
		return ctrl.Result{RequeueAfter: waitInterval}, nil
	}
	d, err := h.startDomain(ctx, &instance)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, h.follow(ctx, &instance, d)
}

// follow makes the instance say what its guest does, and the guest do what the instance says.
func (h *Hypervisor) follow(ctx context.Context, instance *virtv1.VirtualMachineInstance, d *domain) error {
	switch {
	case d.isOff() && d.hasFailed():
		return h.setPhase(ctx, instance, virtv1.Failed)
	case d.isOff():
		return h.setPhase(ctx, instance, virtv1.Succeeded)
	case instance.DeletionTimestamp != nil:
		h.powerDown(d, math.MaxInt32) // within the instance's own grace period
	case instance.Status.Phase == virtv1.Scheduled:
		return h.setPhase(ctx, instance, virtv1.Running)
	case migrating(instance):
		return h.migrate(ctx, instance, d)
	}
	return nil
}

// clearAway ends guests of the VM whose instance is gone, as virt-handler does with what it finds in libvirt.
func (h *Hypervisor) clearAway(vm types.NamespacedName, except types.UID) error {
	for _, d := range h.domains.of(vm) {
		if d.uid == except {
			continue
		}
		if err := d.powerOff(true); err != nil {
			return err
		}
		h.domains.remove(d.uid)
	}
	return nil
}

// startDomain starts the guest: from here on virt-launcher would run qemu.
func (h *Hypervisor) startDomain(ctx context.Context, instance *virtv1.VirtualMachineInstance) (*domain, error) {
	machine, err := h.machineOf(ctx, instance)
	if err != nil {
		return nil, err
	}
	machine.StopDelay = h.faults.slownessOf(client.ObjectKeyFromObject(instance), 0).stop
	boot, cancel := context.WithCancel(context.Background())
	d := &domain{
		uid:        instance.UID,
		vm:         client.ObjectKeyFromObject(instance),
		host:       instance.Status.NodeName,
		machine:    machine,
		ephemeral:  rootClaim(instance) == "",
		grace:      time.Duration(ptr.Deref(instance.Spec.TerminationGracePeriodSeconds, defaultGrace)) * time.Second,
		trace:      h.trace,
		cancelBoot: cancel,
		booted:     make(chan struct{}),
	}
	d.ended = func(crashed bool) { h.powerOff(d, crashed) }
	if !h.domains.add(d) {
		cancel()
		return h.domains.get(d.uid), nil
	}
	d.report(GuestStarted, instance.Status.NodeName)
	go d.boot(boot, h.options.Boot, h.faults, h.launcher)
	return d, nil
}

// powerDown asks the guest to power off, and sees to it that it does within the grace period (in seconds).
func (h *Hypervisor) powerDown(d *domain, graceSeconds int64) {
	if !d.beginShutdown(time.Now()) {
		return
	}
	grace := min(d.grace, time.Duration(graceSeconds)*time.Second)
	delay := min(h.faults.slownessOf(d.vm, h.options.Shutdown).shutdown, grace)
	var off <-chan struct{}
	if h.faults.ignoresShutdown(d.vm) {
		delay = grace
	} else if done, err := d.pressPowerButton(); err != nil {
		h.options.Log.Error(err, "power down", "vm", d.vm)
	} else if done != nil {
		delay, off = grace, done
	}
	d.report(GuestStopping, "")
	h.ending.Go(func() {
		select {
		case <-off:
		case <-time.After(delay):
		case <-h.ended:
		}
		h.powerOff(d, false)
	})
}

// powerOff ends the guest and tells the controllers.
func (h *Hypervisor) powerOff(d *domain, crashed bool) {
	if err := d.powerOff(crashed); err != nil {
		h.options.Log.Error(err, "power off", "vm", d.vm)
	}
	changed := event.GenericEvent{
		Object: &virtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{Namespace: d.vm.Namespace, Name: d.vm.Name}}}
	select {
	case h.domains.changes <- changed:
	case <-h.ended:
	}
}

// setPhase writes the status that virt-handler would.
func (h *Hypervisor) setPhase(ctx context.Context, instance *virtv1.VirtualMachineInstance,
	phase virtv1.VirtualMachineInstancePhase) error {
	instance = instance.DeepCopy()
	instance.Status.Phase = phase
	instance.Status.PhaseTransitionTimestamps = append(instance.Status.PhaseTransitionTimestamps,
		virtv1.VirtualMachineInstancePhaseTransitionTimestamp{Phase: phase, PhaseTransitionTimestamp: metav1.Now()})
	if phase == virtv1.Running {
		pods, err := h.podsOf(ctx, instance)
		if err != nil {
			return err
		}
		describe(instance, pods)
	}
	return client.IgnoreNotFound(ignoreConflict(h.instances.Update(ctx, instance)))
}

// describe fills in what libvirt knows of a running domain.
func describe(instance *virtv1.VirtualMachineInstance, pods []corev1.Pod) {
	ip := ""
	for _, pod := range pods {
		ip = pod.Status.PodIP
	}
	instance.Status.Interfaces = nil
	macs := macsOf(instance)
	for i, network := range instance.Spec.Networks {
		instance.Status.Interfaces = append(instance.Status.Interfaces, virtv1.VirtualMachineInstanceNetworkInterface{
			Name: network.Name, IP: ip, IPs: []string{ip}, MAC: macs[i], QueueCount: 1, InfoSource: "domain",
		})
	}
	instance.Status.Machine = &virtv1.Machine{Type: "pc-q35-rhel9.6.0"}
	instance.Status.SelinuxContext = "none" // without one virt-controller makes no pod to migrate to
	instance.Status.Conditions = append(instance.Status.Conditions, virtv1.VirtualMachineInstanceCondition{
		Type: virtv1.VirtualMachineInstanceIsMigratable, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
	})
}
