package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	virtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
)

// KubeVirt passes on what the scheduler says of a VM that no host has capacity for.
func TestVMWithoutCapacitySaysSoAndWaitsForIt(t *testing.T) {
	lift := shared.Hypervisor.NoCapacityFor(hypervisor.Named("roomless"))
	t.Cleanup(lift)
	vm := startVM(t, "roomless")
	eventually(t, "the VM to be unschedulable", func(ctx context.Context) error {
		now := &virtv1.VirtualMachine{}
		if err := shared.Client.Get(ctx, vm.key, now); err != nil {
			return err
		}
		const reports = "0/3 nodes are available: 3 Insufficient memory."
		output := slices.ContainsFunc(now.Status.Conditions, func(c virtv1.VirtualMachineCondition) bool {
			return c.Type == virtv1.VirtualMachineConditionType(corev1.PodScheduled) && c.Status == corev1.ConditionFalse &&
				c.Reason == corev1.PodReasonUnschedulable && c.Message == reports
		})
		if now.Status.PrintableStatus != virtv1.VirtualMachineStatusUnschedulable || !output {
			return fmt.Errorf("it is %s: %+v", now.Status.PrintableStatus, now.Status.Conditions)
		}
		return nil
	})
	if got := kindsOf(vm); len(got) > 0 {
		t.Errorf("trace = %v", got)
	}
	lift()
	awaitNode(t, vm, "ready")
}

// KubeVirt's own controllers migrate a guest when somebody asks for it: it runs on, on another host, and ends with
// its VM.
func TestGuestIsMigratedAlive(t *testing.T) {
	vm := startVM(t, "moving")
	awaitNode(t, vm, "ready")
	first := awaitInstance(t, vm, virtv1.Running)
	for range 2 {
		from := awaitInstance(t, vm, virtv1.Running).Status.NodeName
		create(t, &virtv1.VirtualMachineInstanceMigration{
			ObjectMeta: metav1.ObjectMeta{Namespace: vm.key.Namespace, GenerateName: "moving-"},
			Spec:       virtv1.VirtualMachineInstanceMigrationSpec{VMIName: vm.key.Name},
		})
		eventually(t, "the guest to be on another host, in one pod", func(ctx context.Context) error {
			now := &virtv1.VirtualMachineInstance{}
			var migrations virtv1.VirtualMachineInstanceMigrationList
			var pods corev1.PodList
			err := errors.Join(
				shared.Client.Get(ctx, vm.key, now),
				shared.Client.List(ctx, &migrations, client.InNamespace(vm.key.Namespace)),
				shared.Client.List(ctx, &pods, client.InNamespace(vm.key.Namespace),
					client.MatchingLabels{virtv1.CreatedByLabel: string(first.UID)}),
			)
			if err != nil {
				return err
			}
			pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.Status.Phase == corev1.PodSucceeded })
			open := slices.ContainsFunc(migrations.Items,
				func(m virtv1.VirtualMachineInstanceMigration) bool { return !m.IsFinal() })
			if now.Status.NodeName == from || now.UID != first.UID || open || len(pods.Items) != 1 ||
				pods.Items[0].Spec.NodeName != now.Status.NodeName {
				return fmt.Errorf("it is on %s, with %d pods; migrations: %+v", now.Status.NodeName, len(pods.Items),
					migrations.Items)
			}
			return nil
		})
	}
	awaitNode(t, vm, "ready")
	must(t, shared.Client.Delete(t.Context(), vm.object))
	awaitGone(t, vm.object)
	want := []hypervisor.EventKind{
		hypervisor.GuestStarted, hypervisor.ClientStarted, hypervisor.GuestMigrated, hypervisor.GuestMigrated,
		hypervisor.GuestStopping, hypervisor.GuestStopped,
	}
	if got := kindsOf(vm); !slices.Equal(got, want) {
		t.Errorf("trace = %v, want %v", got, want)
	}
}
