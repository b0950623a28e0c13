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

// Of two leaders one may have seen the member's VM go, and the other have made it anew. What the cache still shows of
// the first VM says nothing of the second.
func TestVMThatIsntTheRecordedOneIsReadAnew(t *testing.T) {
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
