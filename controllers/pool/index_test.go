package pool

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// The cache copies each object that it hands out. A namespace may have thousands of members, and pools are reconciled
// often.
func TestPoolThatRestsCopiesNoMembersOfOthers(t *testing.T) {
	s := newFixture(func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {})
	s.addOthers(t)
	s.reconcile(t) // writes what is found
	var mine, others int
	s.Client = countsMembers(s.Client, &mine, &others)
	s.reconcile(t)
	if mine == 0 || others > 0 {
		t.Errorf("%d members of its own and %d of others were copied", mine, others)
	}
}

// A pool that acts reads its members from the API server, and leaves those of other pools there. Its own it finds
// whatever becomes of their labels: a pool that forgets one makes another.
func TestPoolThatActsReadsNoMembersOfOthers(t *testing.T) {
	for name, labels := range map[string]map[string]string{
		"with its label": {v1alpha1.PoolLabel: "p"},
		"without labels": nil,
		"with another's": {v1alpha1.PoolLabel: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
				p.Spec.Replicas, p.Spec.ScaleIn.Strategy = ptr.To[int32](0), v1alpha1.NewestCreateIndex
			})
			s.addOthers(t)
			_, n := s.reconcile(t) // writes that replicas were changed
			n.Labels = labels
			if err := s.Client.Update(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			var mine, others int
			s.Live = countsMembers(s.Client, &mine, &others)
			if _, n := s.reconcile(t); n.Spec.Drain == nil {
				t.Error("its member isn't drained")
			}
			if mine == 0 || others > 0 {
				t.Errorf("%d members of its own and %d of others were read", mine, others)
			}
		})
	}
}

// addOthers makes members of another pool of the namespace.
func (s *fixture) addOthers(t *testing.T) {
	t.Helper()
	for i := range 20 {
		n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("other-%d", i),
			Labels: map[string]string{v1alpha1.PoolLabel: "other"}},
			Spec: v1alpha1.NomadNodeSpec{PoolName: "other", PoolUID: "other"}}
		if err := s.Client.Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
}

// countsMembers counts the members of the fixture's pool, and of others, that are read through it.
func countsMembers(c client.Client, mine, others *int) client.WithWatch {
	count := func(n *v1alpha1.NomadNode) {
		if n.Spec.PoolUID == "u" {
			*mine++
		} else {
			*others++
		}
	}
	return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object,
			opts ...client.GetOption) error {
			err := c.Get(ctx, key, o, opts...)
			if n, ok := o.(*v1alpha1.NomadNode); ok && err == nil {
				count(n)
			}
			return err
		},
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, l, opts...)
			if nodes, ok := l.(*v1alpha1.NomadNodeList); ok {
				for i := range nodes.Items {
					count(&nodes.Items[i])
				}
			}
			return err
		},
	})
}
