package node

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestSiblingsNeedNoLabels(t *testing.T) {
	of := func(name, uid string) *v1alpha1.NomadNode {
		n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
			Spec: v1alpha1.NomadNodeSpec{PoolName: "p", PoolUID: uid, NodeID: name}}
		n.Spec.Drain = nodestate.NewDrainRequest("i", v1alpha1.DrainScaleIn, now, now)
		return n
	}
	n := of("p-1", "u")
	stays := of("p-4", "u")
	stays.Spec.Drain.Cancel(now)
	c := kubetest.Client().WithObjects(n, of("p-2", "u"), of("p-3", "other"), stays).Build()
	copied := 0
	counting := interceptor.NewClient(c, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, l, opts...)
			copied += len(l.(*v1alpha1.NomadNodeList).Items)
			return err
		},
	})
	got, err := (&Reconciler{Client: counting}).siblings(t.Context(), n)
	if err != nil || len(got) != 1 || got[0] != "p-2" {
		t.Errorf("siblings %v, %v", got, err)
	}
	if copied != 3 {
		t.Errorf("%d members were copied, of a pool of 3", copied)
	}
}
