package pool

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A pool's members are the cache's own: what they are to become is put into a copy.
func TestMembersOfTheCacheStayAsTheyAre(t *testing.T) {
	s := newFixture(func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {})
	p, n := s.reconcile(t) // there is nothing else to do
	p.Spec.ScaleIn.Drain.Deadline = metav1.Duration{Duration: time.Hour}
	n.Labels = map[string]string{"example.com/label": "of somebody"}
	if err := errors.Join(s.Client.Update(t.Context(), p), s.Client.Update(t.Context(), n)); err != nil {
		t.Fatal(err)
	}
	var listed, was []v1alpha1.NomadNode
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, l, opts...)
			asked := client.ListOptions{}
			asked.ApplyOptions(opts)
			nodes, ok := l.(*v1alpha1.NomadNodeList)
			if ok && asked.UnsafeDisableDeepCopy != nil && *asked.UnsafeDisableDeepCopy {
				listed, was = append(listed, nodes.Items...), append(was, nodes.DeepCopy().Items...)
			}
			return err
		},
	})
	_, n = s.reconcile(t)
	if n.Spec.ScaleIn.Drain.Deadline.Duration != time.Hour || n.Labels[v1alpha1.PoolLabel] == "" {
		t.Fatalf("the member wasn't changed: %+v, %v", n.Spec.ScaleIn, n.Labels)
	}
	if len(listed) == 0 || !equality.Semantic.DeepEqual(listed, was) {
		t.Errorf("members of the cache became\n%+v\n%+v", listed, was)
	}
}
