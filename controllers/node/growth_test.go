package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// counted has the fixture's requests to the API server noted, in order. refuse may answer one of them.
func (s *fixture) counted(refuse func(what string) error) *[]string {
	var seen []string
	note := func(what string, o client.Object) error {
		what += " " + strings.TrimPrefix(fmt.Sprintf("%T", o), "*")
		seen = append(seen, what)
		return refuse(what)
	}
	c := interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return errors.Join(note("create", o), c.Create(ctx, o, opts...))
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return errors.Join(note("patch", o), c.Patch(ctx, o, p, opts...))
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return errors.Join(note("delete", o), c.Delete(ctx, o, opts...))
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption) error {
			return errors.Join(note("patch "+sub+" of", o), c.SubResource(sub).Patch(ctx, o, p, opts...))
		},
	})
	s.Client = c
	return &seen
}

// toBeMade is a member for which nothing was made yet.
func toBeMade(n *v1alpha1.NomadNode, _ *fixture) []client.Object {
	n.Spec.Template.Disks = []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("1Gi"), StorageClassName: "class"}}
	return []client.Object{&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "class"}}}
}

// All of a member is made in one reconcile, each thing before the one that needs it, and said once.
func TestMemberIsMadeInOneReconcile(t *testing.T) {
	s := newFixture(toBeMade)
	seen := s.counted(func(string) error { return nil })
	s.reconcile(t)
	want := []string{"create v1.Secret", "create v1.VirtualMachine",
		"patch status of v1alpha1.NomadNode"}
	if !slices.Equal(*seen, want) {
		t.Errorf("got %q, want %q", *seen, want)
	}
	if n := s.node(t); n.Status.VM.Status != "" && n.Status.Phase != v1alpha1.NodeProvisioning {
		t.Errorf("status %+v", n.Status)
	}
}

// What keeps one part from being made keeps those after it from being made too.
func TestNothingIsMadeBeforeWhatItNeeds(t *testing.T) {
	s := notMade(0, "")
	seen := s.counted(func(what string) error {
		if what == "create "+strings.TrimPrefix(fmt.Sprintf("%T", &corev1.Secret{}), "*") {
			return errors.New("out of order")
		}
		return nil
	})
	if _, err := s.Reconcile(t.Context(), request); err == nil {
		t.Error("no error")
	}
	if slices.Contains(*seen, "create v1.VirtualMachine") {
		t.Errorf("a VM without its Secret: %q", *seen)
	}
}

// A member with nothing on it leaves with eight writes, its drain request included, each before what rests on it.
func TestMemberIsRemovedWithFewWrites(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
		s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: nil}}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1-aaaaaaaa-cloudinit",
			Labels: map[string]string{v1alpha1.NodeLabel: "p-1"}}}
		return append(running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true}), secret)
	})
	seen := s.counted(func(string) error { return nil })
	expect := func(want ...string) {
		t.Helper()
		s.reconcile(t)
		if !slices.Equal(*seen, want) {
			t.Errorf("got %q, want %q", *seen, want)
		}
		*seen = nil
	}
	is := func(node nomad.Node) {
		node.ID, node.Name = testNodeID, "p-1"
		s.nomad.view.Nodes = map[string]nomad.Node{testNodeID: node}
		s.nomad.inside = nomad.Inspection{Found: true, Node: node}
	}
	expect("patch status of v1alpha1.NomadNode") // before the cordon
	is(nomad.Node{Status: nomad.NodeReady})
	expect() // the drain
	is(nomad.Node{Status: nomad.NodeReady, LastDrain: &nomad.Drain{DrainID: "request-1", Status: nomad.DrainComplete}})
	expect("patch status of v1alpha1.NomadNode", "delete v1alpha1.NomadNode")
	expect("patch v1.VirtualMachine", "delete v1.VirtualMachine")
	vmi := &kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}
	if err := s.Client.Delete(t.Context(), vmi); err != nil {
		t.Fatal(err)
	}
	*seen = nil
	expect("delete v1.Secret", "patch v1alpha1.NomadNode") // and the purge
	if calls := strings.Join(s.nomad.calls, " "); calls != "cordon drain inspect inspect inspect purge" {
		t.Errorf("Nomad was asked to %q", calls)
	}
}

// Requests to Nomad don't grow with the members: those that rest ask it nothing.
func TestRestingMemberAsksNomadNothing(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
	})
	s.reconcile(t) // writes what is found
	s.nomad.calls = nil
	seen := s.counted(func(string) error { return nil })
	for range 3 {
		s.reconcile(t)
	}
	if len(s.nomad.calls) > 0 || len(*seen) > 0 {
		t.Errorf("Nomad was asked to %q, and the API server to %q", s.nomad.calls, *seen)
	}
}
