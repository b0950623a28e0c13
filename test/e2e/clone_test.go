package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
)

// A clone of a running member, with its disk and so with its Nomad node ID, is no member: the member stays as it is,
// and the clone with its disk and its Secret stays when the member has long gone.
func TestOthersCloneAMember(t *testing.T) {
	t.Parallel()
	create(t, newPool("cloned", 1))
	eventually(t, "cloned", "the pool to settle", time.Minute, allReady(1))
	nodes, uids := members(t, "cloned"), vmUIDs(t, "cloned")
	original := nodes[0]
	clone := cloneInUI(t, original)
	awaitFor(t, "the clone to be a client of the same ID", func(ctx context.Context) error {
		for _, g := range w.Hypervisor.Guests() {
			if g.VM == client.ObjectKeyFromObject(clone) && g.NodeID == original.Spec.NodeID {
				return w.Client.Get(ctx, g.VM, clone)
			}
		}
		return errNotYet
	})
	eventually(t, "cloned", "the member to be as it was", time.Minute,
		lasts(4*time.Second, both(allReady(1), both(requested("", 1), sameVMs(t, nodes, uids)))))

	if err := scale(t, "cloned", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "cloned", "the member to go", time.Minute, allReady(0))
	if err := w.Client.Get(t.Context(), inNamespace(original.Name), &kubevirtv1.VirtualMachine{}); !apierrors.IsNotFound(
		err) {
		t.Errorf("the member's VM: %v", err)
	}
	time.Sleep(10 * time.Second) // in which what is the clone's would be collected
	now := &kubevirtv1.VirtualMachine{}
	err := errors.Join(w.Client.Get(t.Context(), client.ObjectKeyFromObject(clone), now),
		w.Client.Get(t.Context(), inNamespace(clone.Name+"-root"), &corev1.PersistentVolumeClaim{}),
		w.Client.Get(t.Context(), inNamespace(clone.Name+"-secret"), &corev1.Secret{}))
	if err != nil || now.UID != clone.UID || now.Generation != clone.Generation || now.DeletionTimestamp != nil ||
		now.Status.PrintableStatus != kubevirtv1.VirtualMachineStatusRunning {
		t.Errorf("the clone was touched: generation %d, deleted %v, %s, %v", now.Generation, now.DeletionTimestamp,
			now.Status.PrintableStatus, err)
	}
}

// cloneInUI does what "Clone" does to a member's VM: the labels and the spec are the member's, its annotations
// aren't; claim and Secret are copies (Harvester: pkg/api/vm/handler.go cloneVM).
func cloneInUI(t *testing.T, n v1alpha1.NomadNode) *kubevirtv1.VirtualMachine {
	t.Helper()
	of, secret, claim := &kubevirtv1.VirtualMachine{}, &corev1.Secret{}, &corev1.PersistentVolumeClaim{}
	if err := errors.Join(w.Client.Get(t.Context(), client.ObjectKeyFromObject(&n), of),
		w.Client.Get(t.Context(), inNamespace(n.Status.Claims[0]), claim),
		w.Client.Get(t.Context(), inNamespace(blueprint.SecretName(blueprint.MemberOf(&n))), secret)); err != nil {
		t.Fatal(err)
	}
	name := n.Name + "-clone"
	copied := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: name + "-root",
			Annotations: map[string]string{"harvesterhci.io/imageId": claim.Annotations["harvesterhci.io/imageId"]}},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: claim.Spec.AccessModes, Resources: claim.Spec.Resources, StorageClassName: claim.Spec.StorageClassName,
			VolumeMode: claim.Spec.VolumeMode,
			DataSource: &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: claim.Name},
		},
	}
	templates, err := json.Marshal([]corev1.PersistentVolumeClaim{copied})
	if err != nil {
		t.Fatal(err)
	}
	vm := &kubevirtv1.VirtualMachine{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: name, Labels: maps.Clone(of.Labels),
			Annotations: map[string]string{"harvesterhci.io/volumeClaimTemplates": string(templates)}},
		Spec: *of.Spec.DeepCopy(),
	}
	template := vm.Spec.Template
	template.Spec.Hostname, template.ObjectMeta.Labels["harvesterhci.io/vmName"] = name, name
	for i := range template.Spec.Domain.Devices.Interfaces {
		template.Spec.Domain.Devices.Interfaces[i].MacAddress = ""
	}
	for i := range template.Spec.Volumes {
		switch v := template.Spec.Volumes[i]; {
		case v.PersistentVolumeClaim != nil:
			v.PersistentVolumeClaim.ClaimName = copied.Name
		case v.CloudInitNoCloud != nil:
			v.CloudInitNoCloud.UserDataSecretRef.Name = name + "-secret"
			v.CloudInitNoCloud.NetworkDataSecretRef = nil
		}
	}
	if err := w.Client.Create(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forgetClone(t, vm, n.Spec.NodeID) })
	if err := w.Client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: name + "-secret",
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: kubevirtv1.GroupVersion.String(), Kind: "VirtualMachine", Name: name, UID: vm.UID},
			}},
		Data: secret.Data, Type: secret.Type,
	}); err != nil {
		t.Fatal(err)
	}
	return vm
}

// forgetClone removes a clone with its disk, and the Nomad node that was the member's and is registered by the clone
// anew.
func forgetClone(t *testing.T, vm *kubevirtv1.VirtualMachine, nodeID string) {
	t.Helper()
	err := w.Client.Delete(context.Background(), vm.DeepCopy())
	awaitGone(t, vm.DeepCopy())
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: vm.Namespace, Name: vm.Name + "-root"}}
	if err := errors.Join(err, w.Client.Delete(context.Background(), pvc)); err != nil {
		t.Error(err)
	}
	if _, _, err := w.Nomad.Nodes().Purge(nodeID, nil); err != nil && !isStatus(err, http.StatusNotFound) {
		t.Error(err)
	}
}

// Harvester leaves a claim behind, because it didn't learn that it should go: it is looked after, and removed.
func TestOthersLeaveAClaimBehind(t *testing.T) {
	t.Parallel()
	create(t, newPool("stranded", 1))
	eventually(t, "stranded", "the pool to settle", time.Minute, allReady(1))
	n := members(t, "stranded")[0]
	t.Cleanup(w.APIFaults.Inject(faultproxy.Fault{
		Match: func(r *http.Request) bool {
			return r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/virtualmachines/"+n.Name)
		},
		Status: http.StatusForbidden, // as when somebody's admission objects
	}))
	if err := scale(t, "stranded", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "stranded", "the member to go", time.Minute, allReady(0))
	if left := leftOf(t, n); len(left) > 0 {
		t.Errorf("left of it: %v", left)
	}
	for _, claim := range n.Status.Claims {
		if err := deletedByUs("/persistentvolumeclaims/" + claim); err != nil {
			t.Error(err)
		}
	}
}

// deletedByUs is nil if a controller of ours has deleted what has that path.
func deletedByUs(path string) error {
	for _, write := range w.APIFaults.Writes() {
		if write.Method == http.MethodDelete && strings.HasSuffix(write.Path, path) && write.Status == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("%s wasn't deleted by the controller", path)
}
