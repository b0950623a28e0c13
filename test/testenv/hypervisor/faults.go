package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	virtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// Match chooses VMs by namespace and name.
type Match func(vm types.NamespacedName) bool

// Every matches all VMs.
func Every(types.NamespacedName) bool { return true }

// Named matches the VMs with the names, in any namespace.
func Named(names ...string) Match {
	return func(vm types.NamespacedName) bool { return slices.Contains(names, vm.Name) }
}

// faults are standing ones: they hold for guests of today and of later, until lifted.
type faults struct {
	mu                               sync.Mutex
	capacity, boots, joins, shutdown []*Match
	slow                             []*slowness
}

func (f *faults) add(list *[]*Match, match Match) (lift func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entry := &match
	*list = append(*list, entry)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		*list = slices.DeleteFunc(*list, func(m *Match) bool { return m == entry })
	}
}

func (f *faults) any(list *[]*Match, vm types.NamespacedName) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(*list, func(m *Match) bool { return (*m)(vm) })
}

func (f *faults) lacksCapacity(vm types.NamespacedName) bool   { return f.any(&f.capacity, vm) }
func (f *faults) neverBoots(vm types.NamespacedName) bool      { return f.any(&f.boots, vm) }
func (f *faults) neverJoins(vm types.NamespacedName) bool      { return f.any(&f.joins, vm) }
func (f *faults) ignoresShutdown(vm types.NamespacedName) bool { return f.any(&f.shutdown, vm) }

// NoCapacityFor keeps the pods of matching VMs from being bound to any host, and says so as the scheduler does when
// every host lacks memory. Once lifted, they are bound.
func (h *Hypervisor) NoCapacityFor(match Match) (lift func()) {
	return h.faults.add(&h.faults.capacity, match)
}

// GuestNeverBoots keeps the instances of matching VMs in phase Scheduled. Once lifted, they boot.
func (h *Hypervisor) GuestNeverBoots(match Match) (lift func()) {
	return h.faults.add(&h.faults.boots, match)
}

// GuestNeverJoins lets matching VMs run without starting their Nomad client. Once lifted, it holds on for the
// guests that are up already.
func (h *Hypervisor) GuestNeverJoins(match Match) (lift func()) {
	return h.faults.add(&h.faults.joins, match)
}

// GuestIgnoresShutdown lets matching VMs run on until their grace period has passed when they are asked to
// power off.
func (h *Hypervisor) GuestIgnoresShutdown(match Match) (lift func()) {
	return h.faults.add(&h.faults.shutdown, match)
}

// slowness is how much time guests take for what else takes none.
type slowness struct {
	match          Match
	shutdown, stop time.Duration
}

// SlowGuests has matching VMs take some time to power off, and, if they are booted from now on as a SimulatedGuest,
// their allocations to stop.
func (h *Hypervisor) SlowGuests(match Match, shutdown, stop time.Duration) (lift func()) {
	entry := &slowness{match, shutdown, stop}
	f := h.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = append(f.slow, entry)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.slow = slices.DeleteFunc(f.slow, func(s *slowness) bool { return s == entry })
	}
}

// slownessOf is how slow a VM's guest is; shutdown is what every guest takes.
func (f *faults) slownessOf(vm types.NamespacedName, shutdown time.Duration) slowness {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.slow {
		if s.match(vm) {
			return *s
		}
	}
	return slowness{shutdown: shutdown}
}

// KillGuest crashes the guest: its instance becomes Failed, and KubeVirt makes a new one as the VM's run
// strategy says.
func (h *Hypervisor) KillGuest(vm types.NamespacedName) error {
	d, err := h.domainOf(vm)
	if err != nil {
		return err
	}
	h.powerOff(d, true)
	return nil
}

// KillClient ends the Nomad client in the guest, with all its tasks, and leaves the guest running: no service
// manager starts the client again. A QemuGuest crashes.
func (h *Hypervisor) KillClient(vm types.NamespacedName) error {
	d, err := h.domainOf(vm)
	if err != nil {
		return err
	}
	return d.killClient()
}

// PauseGuest freezes what runs in the guest: Nomad misses its heartbeats, KubeVirt sees nothing.
func (h *Hypervisor) PauseGuest(vm types.NamespacedName) error {
	return h.withClient(vm, guest.Guest.Pause)
}

// ResumeGuest ends PauseGuest.
func (h *Hypervisor) ResumeGuest(vm types.NamespacedName) error {
	return h.withClient(vm, guest.Guest.Resume)
}

func (h *Hypervisor) withClient(vm types.NamespacedName, act func(guest.Guest) error) error {
	d, err := h.domainOf(vm)
	if err != nil {
		return err
	}
	client, err := d.client()
	if err != nil {
		return err
	}
	return act(client)
}

// VMIVanishes removes the instance and its pod with no ceremony, as a mishandled etcd restore would, finalizers
// and all. The guest ends with it.
func (h *Hypervisor) VMIVanishes(ctx context.Context, vm types.NamespacedName) error {
	instance := &virtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{Namespace: vm.Namespace, Name: vm.Name}}
	if err := h.direct.Get(ctx, vm, instance); err != nil {
		return err
	}
	pods, err := h.podsOf(ctx, instance)
	if err != nil {
		return err
	}
	if err := h.Delete(ctx, instance, client.Preconditions{UID: &instance.UID}); err != nil {
		return err
	}
	errs := []error{client.IgnoreNotFound(h.dropFinalizers(ctx, instance))}
	for i := range pods {
		errs = append(errs, client.IgnoreNotFound(h.Delete(ctx, &pods[i], client.GracePeriodSeconds(0))))
	}
	return errors.Join(errs...)
}

// dropFinalizers updates rather than patches: virt-handler may only do that.
func (h *Hypervisor) dropFinalizers(ctx context.Context, instance *virtv1.VirtualMachineInstance) error {
	key, uid := client.ObjectKeyFromObject(instance), instance.UID
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		err := h.direct.Get(ctx, key, instance)
		if err != nil || instance.UID != uid {
			return err
		}
		instance.Finalizers = nil
		return h.instances.Update(ctx, instance)
	})
}

// HostFails takes the power from a host: its guests end, and nobody is left to report it. KubeVirt gives the
// instances up five minutes after the last heartbeat; Nomad sees missing heartbeats at once.
func (h *Hypervisor) HostFails(ctx context.Context, name string) error {
	if err := h.hosts.setDead(name, true); err != nil {
		return err
	}
	errs := []error{h.setNodeReady(ctx, name, corev1.ConditionUnknown, "NodeStatusUnknown")}
	for _, d := range h.domains.all() {
		if d.hostName() == name {
			errs = append(errs, d.powerOff(true))
		}
	}
	return errors.Join(errs...)
}

// HostReturns gives the power back. What ran there has Failed.
func (h *Hypervisor) HostReturns(ctx context.Context, name string) error {
	if err := h.hosts.setDead(name, false); err != nil {
		return err
	}
	if err := h.beatNode(ctx, name); err != nil {
		return err
	}
	for _, d := range h.domains.all() {
		if d.hostName() == name {
			h.powerOff(d, true)
		}
	}
	return nil
}

func (h *Hypervisor) setNodeReady(ctx context.Context, name string, status corev1.ConditionStatus,
	reason string) error {
	var node corev1.Node
	if err := h.direct.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
		return err
	}
	for i := range node.Status.Conditions {
		if c := &node.Status.Conditions[i]; c.Type == corev1.NodeReady {
			c.Status, c.Reason, c.LastTransitionTime = status, reason, metav1.Now()
		}
	}
	return h.Status().Update(ctx, &node)
}

// domainOf is the running guest of the VM.
func (h *Hypervisor) domainOf(vm types.NamespacedName) (*domain, error) {
	for _, d := range h.domains.of(vm) {
		if !d.isOff() {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no guest of %s runs", vm)
}
