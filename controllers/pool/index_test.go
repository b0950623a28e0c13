package pool

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// The cache copies each object that it hands out. A namespace may have thousands of members, and pools are reconciled
// often.
func TestPoolThatRestsCopiesNoMembersOfOthers(t *testing.T) {
	s := newFixture(func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {})
	for i := range 20 {
		n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("other-%d", i)},
			Spec: v1alpha1.NomadNodeSpec{PoolName: "other", PoolUID: "other"}}
		if err := s.Client.Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	s.reconcile(t) // writes what is found
	mine, others := 0, 0
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, l, opts...)
			if nodes, ok := l.(*v1alpha1.NomadNodeList); ok {
				for _, n := range nodes.Items {
					if n.Spec.PoolUID == "u" {
						mine++
					} else {
						others++
					}
				}
			}
			return err
		},
	})
	s.reconcile(t)
	if mine == 0 || others > 0 {
		t.Errorf("%d members of its own and %d of others were copied", mine, others)
	}
}
