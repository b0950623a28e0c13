package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A member doesn't lose its VM, and its guest with it, because somebody edited the VM's marks; and nobody else's VM becomes
// a member's by carrying them.
func TestMembersVMStaysItsOwn(t *testing.T) {
	marked := func(nodeID string) *kubevirtv1.VirtualMachine {
		return &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{
			Name: "p-1", Labels: map[string]string{v1alpha1.PoolLabel: "p"},
			Annotations: map[string]string{v1alpha1.PoolUIDAnnotation: "u", v1alpha1.MemberAnnotation: "p-1", v1alpha1.NodeIDAnnotation: nodeID},
		}}
	}
	node := func(recorded string) *v1alpha1.NomadNode {
		n := &v1alpha1.NomadNode{Spec: v1alpha1.NomadNodeSpec{PoolName: "p", PoolUID: "u", NodeID: "id"}}
		n.Status.VM.UID = recorded
		return n
	}
	stripped := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Name: "p-1", UID: "vm"}}
	other := marked("id")
	other.UID = "other"
	for name, c := range map[string]struct {
		node *v1alpha1.NomadNode
		vm   *kubevirtv1.VirtualMachine
		ours bool
	}{
		"just made, not recorded yet":        {node(""), marked("id"), true},
		"of another incarnation":             {node(""), marked("other-id"), false},
		"without marks, not recorded":        {node(""), stripped, false},
		"recorded, its marks were taken off": {node("vm"), stripped, true},
		"another one with all the marks":     {node("vm"), other, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ours(c.node, c.vm); got != c.ours {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Of two leaders one may have seen the member's VM go, and the other have made it anew. What the cache still shows of the first
// VM says nothing of the second.
func TestVMThatIsntTheRecordedOneIsReadAnew(t *testing.T) {
	n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}
	n.Status.VM.UID = "second"
	vm := func(uid types.UID) client.Client {
		return fake.NewClientBuilder().WithScheme(Scheme()).WithObjects(&kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1", UID: uid}}).Build()
	}
	s := &nodeScope{node: n}
	if err := (&NomadNodeReconciler{Client: vm("first"), Live: vm("second")}).observeVM(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if !s.observed.VM.Ours || s.vm.UID != "second" {
		t.Errorf("got %+v", s.observed.VM)
	}
}
