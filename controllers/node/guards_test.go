package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	for next, age := range map[string]time.Duration{
		"create v1.Secret": 0, "delete v1.Secret": time.Hour, "create v1.VirtualMachine": time.Minute,
	} {
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

// names is a member whose VM is about to name the claims that go with it, or about not to name them any more.
var names = map[string]func() *fixture{
	"named": func() *fixture {
		s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
		vm := &kubevirtv1.VirtualMachine{}
		if err := s.Client.Get(context.Background(), request.NamespacedName, vm); err != nil {
			panic(err)
		}
		vm.Annotations = nil
		if err := s.Client.Update(context.Background(), vm); err != nil {
			panic(err)
		}
		return s
	},
	"not named any more": func() *fixture {
		return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
			objects := running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
			objects[0].SetAnnotations(map[string]string{nodestate.RemovedClaimsAnnotation: "c"})
			return objects
		})
	},
}

// Which claims go with a VM is written into the VM that was observed: another one of its name stays as it is.
func TestClaimsAreNamedOnTheVMThatWasObserved(t *testing.T) {
	for name, made := range names {
		s, patches := made(), []string(nil)
		s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch,
				opts ...client.PatchOption) error {
				if _, vm := o.(*kubevirtv1.VirtualMachine); vm {
					data, err := p.Data(o)
					patches = append(patches, string(data))
					return errors.Join(err, c.Patch(ctx, o, p, opts...))
				}
				return c.Patch(ctx, o, p, opts...)
			},
		})
		s.reconcile(t)
		want := `{"metadata":{"annotations":{"harvesterhci.io/removedPersistentVolumeClaims":null},"uid":"vm"}}`
		if name == "named" {
			want = strings.Replace(want, "null", `"c"`, 1)
		}
		if !slices.Equal(patches, []string{want}) {
			t.Errorf("%s: the VM was patched with %q", name, patches)
		}
	}
}

// What a stale cache asks for isn't written: the member may be leaving, or may have gone.
func TestStaleMemberNamesNoClaims(t *testing.T) {
	for name, made := range names {
		s := made()
		n := s.node(t)
		n.ResourceVersion = "1234"
		s.Live = kubetest.Client().WithObjects(n).Build()
		seen := s.counted(func(string) error { return nil })
		if s.reconcile(t); slices.Contains(*seen, "patch v1.VirtualMachine") || s.event() != "" {
			t.Errorf("%s: it did %q", name, *seen)
		}
		s.Live = s.Client
		if s.reconcile(t); !slices.Contains(*seen, "patch v1.VirtualMachine") {
			t.Errorf("%s: once the cache is up to date it did %q", name, *seen)
		}
	}
}

// The names of claims stay on a VM of which Harvester refuses every change, and no Event says that it was changed.
func TestNamesOfClaimsThatCantBeTakenOff(t *testing.T) {
	s := names["not named any more"]()
	s.reconcile(t) // writes what is found
	patchVM(t, s, map[string]string{nodestate.RemovedClaimsAnnotation: "c"})
	for e := s.event(); e != ""; e = s.event() {
		t.Log(e)
	}
	s.fails(func(verb string, o client.Object) error {
		if _, vm := o.(*kubevirtv1.VirtualMachine); vm {
			return denied("its network is gone")
		}
		return nil
	})
	if s.reconcile(t); s.event() != "" {
		t.Error("an Event tells that the VM was changed")
	}
}

// The API server is asked to refuse what a newer KubeVirt has: it would drop that otherwise, and the VM be another.
func TestVMIsMadeStrictly(t *testing.T) {
	s, strict := notMade(time.Minute, ""), false
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			given := (&client.CreateOptions{}).ApplyOptions(opts)
			if _, vm := o.(*kubevirtv1.VirtualMachine); vm {
				strict = given.FieldValidation == metav1.FieldValidationStrict
			}
			return c.Create(ctx, o, opts...)
		},
	})
	if s.reconcile(t); !strict {
		t.Error("the VM was made without strict validation")
	}
}

// The VM that is deleted is the one that was observed: another one of its name stays.
func TestVMIsDeletedByItsUID(t *testing.T) {
	s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
	var uid *types.UID
	var propagation *metav1.DeletionPropagation
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			given := (&client.DeleteOptions{}).ApplyOptions(opts)
			if _, vm := o.(*kubevirtv1.VirtualMachine); vm && given.Preconditions != nil {
				uid, propagation = given.Preconditions.UID, given.PropagationPolicy
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
	if propagation == nil || *propagation != metav1.DeletePropagationBackground {
		t.Errorf("the VM was deleted with the propagation policy %v, and Harvester needs what it owns", propagation)
	}
}
