package node

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestSiblingsNeedNoLabels(t *testing.T) {
	of := func(name, uid string) *v1alpha1.NomadNode {
		n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: v1alpha1.NomadNodeSpec{PoolName: "p", PoolUID: uid, NodeID: name}}
		n.Spec.Drain = nodestate.NewIntent("i", v1alpha1.DrainScaleIn, now, now)
		return n
	}
	n := of("p-1", "u")
	c := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(n, of("p-2", "u"), of("p-3", "other")).Build()
	got, err := (&Reconciler{Client: c}).siblings(t.Context(), n)
	if err != nil || len(got) != 1 || got[0] != "p-2" {
		t.Errorf("siblings %v, %v", got, err)
	}
}
