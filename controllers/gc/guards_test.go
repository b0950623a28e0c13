package gc

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// run collects once, and lets the time until the next run pass.
func (s *fixture) run(t *testing.T) error {
	t.Helper()
	s.nomad.view.Taken = s.clock.Now()
	err := s.collectSafely(t.Context())
	s.clock.Step(s.Interval)
	return err
}

// Nothing that leads to a member's Secret is removed before the Secret, and nothing after something that couldn't be
// removed: no other run would find what is left.
func TestWhatLeadsToTheSecretGoesAfterIt(t *testing.T) {
	for name, c := range map[string]struct {
		broken client.Object
		left   []string
	}{
		"the Secret can't be removed": {&corev1.Secret{}, []string{lostID, lostName, lostClaim}},
		"the claim can't be removed":  {&corev1.PersistentVolumeClaim{}, []string{lostID, lostClaim}},
	} {
		t.Run(name, func(t *testing.T) {
			s, broken := newFixture(), true
			s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
				Delete: func(ctx context.Context, cl client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
					if broken && kindOf(o) == kindOf(c.broken) {
						return errors.New("not now")
					}
					return cl.Delete(ctx, o, opts...)
				},
			})
			for i := range 4 {
				if err := s.run(t); (err != nil) != (i == 3) {
					t.Errorf("run %d: %v", i, err)
				}
			}
			slices.Sort(c.left)
			if left := s.left(t); !slices.Equal(left, c.left) {
				t.Errorf("left %q, want %q", left, c.left)
			}
			broken = false
			if left := s.collectFor(t, 0); len(left) > 0 {
				t.Errorf("left in the end %q", left)
			}
		})
	}
}

func kindOf(o client.Object) string {
	switch o.(type) {
	case *corev1.Secret:
		return "Secret"
	case *corev1.PersistentVolumeClaim:
		return "claim"
	}
	return ""
}

// A node is purged only in the cluster of the pool that it names: whoever runs another Nomad may register any node there.
func TestNodeInAnotherPoolsNomadIsNotPurged(t *testing.T) {
	p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "q", UID: "v"}}
	p.Spec.Nomad.Address = "http://127.0.0.1:4647"
	s := newFixture(p)
	other := &nomadStub{view: s.nomad.view, inside: s.nomad.inside}
	s.nomad.view.Nodes, s.nomad.inside = nil, map[string]nomad.Node{}
	s.Connections.Clusters = byAddress{"http://127.0.0.1:4646": s.nomad, "http://127.0.0.1:4647": other}
	for range 6 {
		other.view.Taken = s.clock.Now()
		if err := s.run(t); err != nil {
			t.Fatal(err)
		}
	}
	if other.asked == 0 || len(other.purged) > 0 {
		t.Errorf("it was asked %d times, and purged %q", other.asked, other.purged)
	}
}

// After a run that didn't see everything the grace period begins anew: what was orphaned before may have been used
// meanwhile.
func TestGraceBeginsAnewAfterARunThatFails(t *testing.T) {
	for name, fail := range map[string]func(*fixture){
		"a panic":  func(s *fixture) { s.Live = nil },
		"an error": func(s *fixture) { s.Live = broken{s.Live} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture()
			for range 2 {
				if err := s.run(t); err != nil {
					t.Fatal(err)
				}
			}
			live := s.Live
			fail(s)
			if err := s.run(t); err == nil {
				t.Fatal("it didn't fail")
			}
			s.Live = live
			if left := s.collectFor(t, 10*time.Minute); len(left) != 3 {
				t.Errorf("left only %q", left)
			}
			if left := s.collectFor(t, 0); len(left) > 0 {
				t.Errorf("left in the end %q", left)
			}
		})
	}
}

type broken struct{ client.Reader }

func (broken) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("the API server doesn't answer")
}

// What the cache lacks is there all the same: only the VMs that are reported are read from it.
func TestWhatTheCacheLacksCounts(t *testing.T) {
	all := []string{lostID, lostName, lostClaim}
	slices.Sort(all)
	for name, c := range map[string]struct {
		more client.Object
		left []string
	}{
		"nothing uses them": {&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "other"}}, nil},
		"a member": {&v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"},
			Spec: v1alpha1.NomadNodeSpec{NodeID: lostID}}, all},
		"a VM": {&kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}, all},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(c.more)
			s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
				Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
					return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
				},
				List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
			})
			if left := s.collectFor(t, 30*time.Minute); !slices.Equal(left, c.left) {
				t.Errorf("left %q, want %q", left, c.left)
			}
		})
	}
}
