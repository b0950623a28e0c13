package testenv_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	virtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

func TestGuestLivesAsLongAsItsVM(t *testing.T) {
	vm := startVM(t, "whole-life")
	awaitNode(t, vm, "ready")
	first := awaitInstance(t, vm, virtv1.Running)
	if i := first.Status.Interfaces; len(i) != 1 || i[0].Name != "default" || i[0].IP == "" || i[0].MAC == "" {
		t.Errorf("interfaces = %+v", i)
	}

	t.Log("restarted, the VM has another instance with the same disk: the same Nomad node")
	must(t, shared.Client.Delete(t.Context(), first))
	awaitNewInstance(t, vm, first.UID)
	awaitNode(t, vm, "ready")

	must(t, shared.Client.Delete(t.Context(), vm.object))
	awaitGone(t, vm.object)
	awaitNode(t, vm, "down")
	must(t, shared.Client.Delete(t.Context(), vm.claim))
	awaitEvent(t, hypervisor.DiskRemoved, vm.claim.Name)
	// KubeVirt may start the guest once more, if it sees that the instance is gone before it sees that the VM is.
	got, lives := kindsOf(vm), 0
	life := []hypervisor.EventKind{
		hypervisor.GuestStarted, hypervisor.ClientStarted, hypervisor.GuestStopping, hypervisor.GuestStopped,
	}
	for l := range slices.Chunk(got, len(life)) {
		if lives++; !slices.Equal(l, life) {
			t.Errorf("life %d of %v isn't %v", lives, got, life)
		}
	}
	if lives < 2 {
		t.Errorf("%d lives, not two: %v", lives, got)
	}
}

func TestCrashedGuestIsStartedAgain(t *testing.T) {
	vm := startVM(t, "crashing")
	awaitNode(t, vm, "ready")
	first := awaitInstance(t, vm, virtv1.Running)
	must(t, shared.Hypervisor.KillGuest(vm.key))
	awaitNewInstance(t, vm, first.UID)
	awaitNode(t, vm, "ready")
}

func TestGuestThatNeverBootsAndNeverJoins(t *testing.T) {
	boots := shared.Hypervisor.GuestNeverBoots(hypervisor.Named("stuck"))
	joins := shared.Hypervisor.GuestNeverJoins(hypervisor.Named("stuck"))
	t.Cleanup(joins)
	vm := startVM(t, "stuck")
	awaitInstance(t, vm, virtv1.Scheduled)
	boots()
	awaitInstance(t, vm, virtv1.Running)
	awaitEvent(t, hypervisor.ClientAbsent, vm.key.Name)
	if _, _, err := shared.Nomad.Nodes().Info(vm.nodeID, nil); err == nil {
		t.Error("the guest joined")
	}
}

func TestClientThatDiesInARunningGuest(t *testing.T) {
	vm := startVM(t, "clientless")
	awaitNode(t, vm, "ready")
	must(t, shared.Hypervisor.KillClient(vm.key))
	awaitNode(t, vm, "down")
	awaitInstance(t, vm, virtv1.Running)
}

func TestVanishedInstanceTakesItsGuestAlong(t *testing.T) {
	vm := startVM(t, "vanishing")
	awaitNode(t, vm, "ready")
	first := awaitInstance(t, vm, virtv1.Running)
	must(t, shared.Hypervisor.VMIVanishes(t.Context(), vm.key))
	awaitNewInstance(t, vm, first.UID)
	awaitNode(t, vm, "ready")
	running := 0
	for _, g := range shared.Hypervisor.Guests() {
		if g.VM == vm.key && g.Running {
			running++
		}
	}
	if running != 1 {
		t.Errorf("%d guests of one VM run", running)
	}
}

func TestFailedHostTakesItsGuestsAlong(t *testing.T) {
	vm := startVM(t, "hosted")
	awaitNode(t, vm, "ready")
	first := awaitInstance(t, vm, virtv1.Running)
	must(t, shared.Hypervisor.HostFails(t.Context(), first.Status.NodeName))
	awaitNode(t, vm, "down")
	awaitInstance(t, vm, virtv1.Running) // nobody is there to say otherwise
	must(t, shared.Hypervisor.HostReturns(t.Context(), first.Status.NodeName))
	awaitNewInstance(t, vm, first.UID)
	awaitNode(t, vm, "ready")
}

func TestVMWithoutItsSecretWaitsForIt(t *testing.T) {
	vm := newVM("secretless")
	must(t, shared.Client.Create(t.Context(), vm.claim))
	create(t, vm.object)
	time.Sleep(time.Second) // nothing to wait for: nothing may happen
	if i := awaitInstance(t, vm, virtv1.Scheduling); len(kindsOf(vm)) > 0 {
		t.Errorf("guest of instance in phase %s started without its Secret", i.Status.Phase)
	}
	create(t, vm.secret)
	awaitNode(t, vm, "ready")
}

// testVM is a VM with its disk and user data.
type testVM struct {
	key    types.NamespacedName
	nodeID string
	object *virtv1.VirtualMachine
	claim  *corev1.PersistentVolumeClaim
	secret *corev1.Secret
}

func newVM(name string) testVM {
	meta := metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name}
	vm := testVM{key: types.NamespacedName{Namespace: meta.Namespace, Name: name}, nodeID: uuid.NewString()}
	vm.secret = &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"userdata": fmt.Sprintf(`#cloud-config
write_files:
- {path: /opt/nomad/data/client/client-id, content: %s}
- path: /etc/nomad.d/nomad.hcl
  content: |
    data_dir = "/opt/nomad/data"
    client {
      enabled = true
      servers = ["%s"]
    }
runcmd: [[systemctl, enable, --now, nomad]]
`, vm.nodeID, shared.NomadServer.RPCAddr)}}
	vm.claim = &corev1.PersistentVolumeClaim{ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		VolumeMode: ptr.To(corev1.PersistentVolumeBlock), StorageClassName: ptr.To(fixtures.StorageClass),
	}}
	disk := func(name string) virtv1.Disk {
		return virtv1.Disk{Name: name, DiskDevice: virtv1.DiskDevice{Disk: &virtv1.DiskTarget{Bus: virtv1.DiskBusVirtio}}}
	}
	spec := virtv1.VirtualMachineInstanceSpec{
		TerminationGracePeriodSeconds: ptr.To[int64](10),
		Networks:                      []virtv1.Network{*virtv1.DefaultPodNetwork()},
		Volumes: []virtv1.Volume{
			{Name: "root", VolumeSource: virtv1.VolumeSource{PersistentVolumeClaim: &virtv1.PersistentVolumeClaimVolumeSource{
				PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}},
			{Name: "cloudinitdisk", VolumeSource: virtv1.VolumeSource{CloudInitNoCloud: &virtv1.CloudInitNoCloudSource{
				UserDataSecretRef: &corev1.LocalObjectReference{Name: name}}}},
		},
	}
	spec.Domain.CPU = &virtv1.CPU{Cores: 1}
	spec.Domain.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"),
		corev1.ResourceMemory: resource.MustParse("512Mi")}
	spec.Domain.Devices.Disks = []virtv1.Disk{disk("root"), disk("cloudinitdisk")}
	spec.Domain.Devices.Interfaces = []virtv1.Interface{*virtv1.DefaultMasqueradeNetworkInterface()}
	vm.object = &virtv1.VirtualMachine{ObjectMeta: meta, Spec: virtv1.VirtualMachineSpec{
		RunStrategy: ptr.To(virtv1.RunStrategyAlways),
		Template:    &virtv1.VirtualMachineInstanceTemplateSpec{Spec: spec},
	}}
	return vm
}

func startVM(t *testing.T, name string) testVM {
	t.Helper()
	vm := newVM(name)
	create(t, vm.secret)
	create(t, vm.claim)
	create(t, vm.object)
	return vm
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	must(t, shared.Client.Create(t.Context(), o))
	t.Cleanup(func() {
		// Harvester refuses to delete a volume while its own watch hasn't seen yet that the VM is gone.
		// The test's own context has ended here.
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		must(t, process.WaitFor(ctx, 100*time.Millisecond, "deletion of "+o.GetName(), func(ctx context.Context) error {
			return client.IgnoreNotFound(shared.Client.Delete(ctx, o))
		}))
	})
}

func awaitNode(t *testing.T, vm testVM, status string) {
	t.Helper()
	eventually(t, "Nomad node of "+vm.key.Name+" "+status, func(context.Context) error {
		node, _, err := shared.Nomad.Nodes().Info(vm.nodeID, nil)
		if err == nil && node.Status != status {
			err = fmt.Errorf("node is %s", node.Status)
		}
		return err
	})
}

func awaitInstance(t *testing.T, vm testVM, phase virtv1.VirtualMachineInstancePhase) *virtv1.VirtualMachineInstance {
	t.Helper()
	var instance virtv1.VirtualMachineInstance
	eventually(t, fmt.Sprintf("instance of %s %s", vm.key.Name, phase), func(ctx context.Context) error {
		err := shared.Client.Get(ctx, vm.key, &instance)
		if err == nil && instance.Status.Phase != phase {
			err = fmt.Errorf("instance is %s", instance.Status.Phase)
		}
		return err
	})
	return &instance
}

func awaitNewInstance(t *testing.T, vm testVM, old types.UID) {
	t.Helper()
	eventually(t, "a new instance of "+vm.key.Name, func(ctx context.Context) error {
		var instance virtv1.VirtualMachineInstance
		err := shared.Client.Get(ctx, vm.key, &instance)
		if err == nil && (instance.UID == old || instance.Status.Phase != virtv1.Running) {
			err = fmt.Errorf("instance %s is %s", instance.UID, instance.Status.Phase)
		}
		return err
	})
}

func awaitGone(t *testing.T, o client.Object) {
	t.Helper()
	eventually(t, "end of "+o.GetName(), func(ctx context.Context) error {
		err := shared.Client.Get(ctx, client.ObjectKeyFromObject(o), o.DeepCopyObject().(client.Object))
		if err == nil {
			return fmt.Errorf("still there")
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

func awaitEvent(t *testing.T, kind hypervisor.EventKind, name string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s of %s", kind, name), func(context.Context) error {
		for _, e := range shared.Hypervisor.Trace() {
			if e.Kind == kind && e.VM.Name == name {
				return nil
			}
		}
		return fmt.Errorf("not in the trace")
	})
}

func kindsOf(vm testVM) []hypervisor.EventKind {
	var kinds []hypervisor.EventKind
	for _, e := range shared.Hypervisor.Trace() {
		if e.VM == vm.key && e.Kind != hypervisor.DiskRemoved {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
