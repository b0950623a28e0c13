package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubevirt"
)

// uiActions are what people do to a member's VM in Harvester's UI, or with kubectl, that is no reason to replace it.
var uiActions = []struct {
	name string
	do   func(*testing.T, v1alpha1.NomadNode) error
}{
	{"edit it", editInUI},
	{"take our marks off", takeMarksOff},
	{"reset it by force", func(_ *testing.T, n v1alpha1.NomadNode) error {
		return w.Hypervisor.KillGuest(client.ObjectKeyFromObject(&n))
	}},
	{"restart it", func(t *testing.T, n v1alpha1.NomadNode) error {
		// What KubeVirt does when it is asked to (KubeVirt: pkg/virt-controller/watch/vm/vm.go stopVMI).
		return as(t, kubevirt.Namespace,
			"kubevirt-controller").Delete(t.Context(), &kubevirtv1.VirtualMachineInstance{ObjectMeta: nameOf(n)})
	}},
	{"stop it and start it again", stopAndStart},
	{"migrate it", migrate},
	{"delete its Secret", func(t *testing.T, n v1alpha1.NomadNode) error {
		return w.Client.Delete(
			t.Context(),
			&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: blueprint.SecretName(blueprint.MemberOf(&n))}},
		)
	}},
}

// Whatever is done to a VM short of deleting it, its member stays the same and is ready again in the end. A VM that
// was made from a template of a member is no member, and stays, with its disk, when all members have gone.
func TestOthersUseTheUI(t *testing.T) {
	t.Parallel()
	create(t, newPool("ui", int32(len(uiActions))))
	eventually(t, "ui", "the pool to settle", time.Minute, allReady(len(uiActions)))
	nodes, uids := members(t, "ui"), vmUIDs(t, "ui")
	copied := fromTemplate(t, nodes[0])
	for i, a := range uiActions {
		if err := a.do(t, nodes[i]); err != nil {
			t.Fatalf("to %s: %v", a.name, err)
		}
	}
	// Three of them are down for a moment.
	eventually(t, "ui", "the members to be ready again", time.Minute,
		lasts(3*time.Second, both(allReady(len(uiActions)), sameVMs(t, nodes, uids))))

	if err := scale(t, "ui", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ui", "the members to go", time.Minute, allReady(0))
	claims := objects(t, &corev1.PersistentVolumeClaimList{}, "ui")
	if len(claims) != 1 || claims[0].GetName() != copied.Name+"-root" {
		t.Errorf("%d claims are left, not the one of the copy: %v", len(claims), claims)
	}
	time.Sleep(10 * time.Second) // in which the copy's disk would be collected
	var now kubevirtv1.VirtualMachine
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(copied), &now); err != nil ||
		now.Generation != copied.Generation ||
		now.DeletionTimestamp != nil {
		t.Errorf("the copy was touched: generation %d, deleted %v, %v", now.Generation, now.DeletionTimestamp, err)
	}
	if len(objects(t, &corev1.PersistentVolumeClaimList{}, "ui")) != 1 {
		t.Error("the copy's disk was swept")
	}
}

// A guest whose Secret was deleted runs on, but can't boot again: its member is then replaced, and removed without it.
func TestOthersDeleteASecret(t *testing.T) {
	t.Parallel()
	create(t, newPool("unbootable", 2, func(p *v1alpha1.NomadNodePool) {
		p.Spec.Health.UnhealthyTimeout = metav1.Duration{Duration: unhealthyFor}
	}))
	eventually(t, "unbootable", "the pool to settle", time.Minute, allReady(2))
	broken := members(t, "unbootable")[0]
	if err := w.Client.Delete(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: broken.Namespace,
			Name: blueprint.SecretName(blueprint.MemberOf(&broken))}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Hypervisor.KillGuest(client.ObjectKeyFromObject(&broken)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "unbootable", "the member to be replaced", recoveryTime+time.Minute,
		both(without(broken.Name), allReady(2)))
	reported(t, "unbootable", "MemberUnhealthy", broken.Name)
	onlyMembersLeft(t, "unbootable")
}

// sameVMs is satisfied while the members are those that there were, each with its VM.
func sameVMs(t *testing.T, before []v1alpha1.NomadNode, uids map[types.UID]bool) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		for _, n := range before {
			vm := &kubevirtv1.VirtualMachine{}
			if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(&n), vm); err != nil {
				return err
			}
			if !uids[vm.UID] || vm.DeletionTimestamp != nil {
				return fmt.Errorf("VM %s is another one, or is being deleted", vm.Name)
			}
		}
		for i := range before {
			if len(nodes) != len(before) || nodes[i].UID != before[i].UID || nodes[i].Spec.Drain != nil {
				return errors.New("the members are others, or leave")
			}
		}
		return nil
	}
}

func nameOf(n v1alpha1.NomadNode) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: n.Namespace, Name: n.Name}
}

func patchVM(t *testing.T, n v1alpha1.NomadNode, patch string) error {
	t.Helper()
	return w.Client.Patch(t.Context(), &kubevirtv1.VirtualMachine{ObjectMeta: nameOf(n)},
		client.RawPatch(types.MergePatchType, []byte(patch)))
}

// editInUI writes what the edit form writes: it takes the VM for its own, and drops what it doesn't know from the
// claims.
func editInUI(t *testing.T, n v1alpha1.NomadNode) error {
	t.Helper()
	vm := &kubevirtv1.VirtualMachine{}
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(&n), vm); err != nil {
		return err
	}
	var claims []map[string]any
	if err := json.Unmarshal([]byte(vm.Annotations["harvesterhci.io/volumeClaimTemplates"]), &claims); err != nil {
		return err
	}
	for _, c := range claims {
		delete(c["metadata"].(map[string]any), "labels")
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return err
	}
	return patchVM(
		t,
		n,
		fmt.Sprintf(`{"metadata":{"labels":{"harvesterhci.io/creator":"harvester","harvesterhci.io/os":"ubuntu"},
		"annotations":{"field.cattle.io/description":"mine","harvesterhci.io/volumeClaimTemplates":%q}},
		"spec":{"template":{"spec":{"domain":{"cpu":{"cores":3},"resources":{"limits":{"cpu":"3"}}}}}}}`, text),
	)
}

// takeMarksOff does what admission refuses until somebody says that it is meant.
func takeMarksOff(t *testing.T, n v1alpha1.NomadNode) error {
	t.Helper()
	if err := patchVM(t, n, fmt.Sprintf(`{"metadata":{"annotations":{%q:"yes"}}}`,
		v1alpha1.AllowDeleteAnnotation)); err != nil {
		return err
	}
	return patchVM(t, n, fmt.Sprintf(`{"metadata":{"labels":{%q:null,%q:null},"annotations":{%q:null,%q:null,%q:null}}}`,
		v1alpha1.PoolLabel, v1alpha1.RevisionLabel, v1alpha1.PoolUIDAnnotation, v1alpha1.MemberAnnotation,
		v1alpha1.NodeIDAnnotation))
}

func stopAndStart(t *testing.T, n v1alpha1.NomadNode) error {
	t.Helper()
	runStrategy(t, n, kubevirtv1.RunStrategyHalted)
	eventually(t, n.Spec.PoolName, "the member to say that its VM was stopped", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, m := range nodes {
				if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.NodeVMReady); m.Name == n.Name && c != nil &&
					c.Reason == v1alpha1.ReasonVMStopped {
					return nil
				}
			}
			return errNotYet
		})
	awaitFor(t, "the instance to be gone", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(&n),
			&kubevirtv1.VirtualMachineInstance{}); client.IgnoreNotFound(
			err) != nil ||
			err == nil {
			return errors.Join(errNotYet, err)
		}
		return nil
	})
	runStrategy(t, n, kubevirtv1.RunStrategyAlways)
	return nil
}

// migrate has KubeVirt migrate the guest, as "Migrate" does.
func migrate(t *testing.T, n v1alpha1.NomadNode) error {
	t.Helper()
	if err := w.Client.Create(t.Context(), &kubevirtv1.VirtualMachineInstanceMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, GenerateName: n.Name + "-"},
		Spec:       kubevirtv1.VirtualMachineInstanceMigrationSpec{VMIName: n.Name},
	}); err != nil {
		return err
	}
	eventually(t, n.Spec.PoolName, "the member to name its new host", 30*time.Second,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, m := range nodes {
				if m.Name == n.Name && m.Status.VM.Host != "" && m.Status.VM.Host != n.Status.VM.Host {
					return nil
				}
			}
			return errNotYet
		})
	return nil
}

// fromTemplate makes a VM from a template that "Generate template" made of a member: labels and annotations are the
// member's, the marks in its claim template included; the name of VM and claim are new.
func fromTemplate(t *testing.T, n v1alpha1.NomadNode) *kubevirtv1.VirtualMachine {
	t.Helper()
	of := &kubevirtv1.VirtualMachine{}
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(&n), of); err != nil {
		t.Fatal(err)
	}
	name := n.Name + "-copy"
	claim := n.Status.Claims[0]
	vm := &kubevirtv1.VirtualMachine{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name, Labels: maps.Clone(of.Labels),
			Annotations: maps.Clone(of.Annotations)},
		Spec: *of.Spec.DeepCopy(),
	}
	const templates = "harvesterhci.io/volumeClaimTemplates"
	vm.Annotations[templates] = strings.ReplaceAll(vm.Annotations[templates], claim, name+"-root")
	delete(vm.Annotations, "harvesterhci.io/mac-address")
	vm.Spec.RunStrategy = new(kubevirtv1.RunStrategyHalted)
	spec := &vm.Spec.Template.Spec
	spec.Domain.Firmware = nil
	for i := range spec.Domain.Devices.Interfaces {
		spec.Domain.Devices.Interfaces[i].MacAddress = ""
	}
	for i := range spec.Volumes {
		if c := spec.Volumes[i].PersistentVolumeClaim; c != nil {
			c.ClaimName = name + "-root"
		}
	}
	if err := w.Client.Create(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: vm.Namespace, Name: name + "-root"}}
		err := w.Client.Delete(context.Background(), vm.DeepCopy())
		awaitGone(t, vm.DeepCopy())
		if err := errors.Join(err, w.Client.Delete(context.Background(), pvc)); err != nil {
			t.Error(err)
		}
	})
	awaitFor(t, "the copy's disk", func(ctx context.Context) error {
		return w.Client.Get(ctx, inNamespace(name+"-root"), &corev1.PersistentVolumeClaim{})
	})
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(vm), vm); err != nil {
		t.Fatal(err)
	}
	return vm
}
