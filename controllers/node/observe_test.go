package node

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
)

// One of two leaders may have seen the member's VM go, and the other may have made it again. The cached state of the
// first VM doesn't count for the second.
func TestVMThatIsntTheRecordedOneIsReadAgain(t *testing.T) {
	n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}
	n.Status.VM.UID = "second"
	vm := func(uid types.UID) client.Client {
		return kubetest.Client().
			WithObjects(&kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1", UID: uid}}).
			Build()
	}
	s := &scope{node: n}
	if err := (&Reconciler{Client: vm("first"), Live: vm("second")}).observeVM(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if !s.observed.VM.Owned || s.vm.UID != "second" {
		t.Errorf("got %+v", s.observed.VM)
	}
}
