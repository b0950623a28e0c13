package node

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A list of allocations that began too long ago doesn't show that a node is empty.
func TestOldListOfAllocationsShowsNoEmptyNode(t *testing.T) {
	for age, believed := range map[time.Duration]bool{0: true, nomadlink.AllocationsLimit: false} {
		s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
			n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Hour))
			s.nomad.allocs = nomad.AllocationsView{Started: now.Add(-age),
				Live: map[string][]nomad.Allocation{testNodeID: nil}}
			return running(n, s, nomad.Node{Status: nomad.NodeReady, Draining: true,
				LastDrain: &nomad.Drain{DrainID: "request-1", Status: nomad.DrainDraining}})
		})
		s.reconcile(t)
		if got := s.node(t).Status.DrainResult != ""; got != believed || slices.Contains(s.nomad.calls, "inspect") != got {
			t.Errorf("%s old: drained is %t, Nomad was asked to %q", age, got, s.nomad.calls)
		}
	}
}

// What a stale cache asks for isn't made: the member may be leaving, or its VM may have been there and gone.
func TestStaleMemberIsNotMade(t *testing.T) {
	for next, age := range map[string]time.Duration{"create v1.Secret": 0, "create v1.VirtualMachine": time.Minute} {
		s := notMade(age, "")
		n, secrets := s.node(t), &corev1.SecretList{}
		if err := s.Client.List(t.Context(), secrets); err != nil {
			t.Fatal(err)
		}
		n.ResourceVersion = "1234"
		s.Live = kubetest.Client().WithObjects(n).WithLists(secrets).Build()
		seen := s.counted(func(string) error { return nil })
		if s.reconcile(t); slices.Contains(*seen, next) {
			t.Errorf("it did %q", *seen)
		}
		s.Live = s.Client
		if s.reconcile(t); !slices.Contains(*seen, next) {
			t.Errorf("once the cache is up to date it did %q", *seen)
		}
	}
}

// The VM that is deleted is the one that was observed: another one of its name stays.
func TestVMIsDeletedByItsUID(t *testing.T) {
	s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
	var uid *types.UID
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			given := (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions
			if _, vm := o.(*kubevirtv1.VirtualMachine); vm && given != nil {
				uid = given.UID
			}
			return c.Delete(ctx, o, opts...)
		},
	})
	for range 4 {
		s.reconcile(t)
	}
	if uid == nil || *uid != "vm" {
		t.Errorf("the VM was deleted with the UID %v", uid)
	}
}
