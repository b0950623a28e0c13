package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// onlyMembersLeft checks that every VM, claim, Secret and Nomad node of a pool belongs to a member that it still has.
// the NomadNode of a member goes last, so there is nothing to wait for.
func onlyMembersLeft(t *testing.T, pool string) {
	t.Helper()
	_, nodes, err := read(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	members, secrets, claims, ids := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, n := range nodes {
		members[n.Name], ids[n.Spec.NodeID] = true, true
		for _, c := range n.Status.Claims {
			claims[c] = true
		}
	}
	var l corev1.SecretList
	if err := w.Client.List(t.Context(), &l, of(pool)...); err != nil {
		t.Fatal(err)
	}
	for _, s := range l.Items {
		if !members[s.Labels[v1alpha1.NodeLabel]] {
			t.Errorf("Secret %s is left", s.Name)
		}
		secrets[s.Name] = true
	}
	if len(secrets) != len(members) {
		t.Errorf("%d Secrets for %d members", len(secrets), len(members))
	}
	for _, vm := range vms(t, pool) {
		if !members[vm.Name] {
			t.Errorf("VM %s is left", vm.Name)
		}
	}
	for _, c := range objects(t, &corev1.PersistentVolumeClaimList{}, pool) {
		if !claims[c.GetName()] {
			t.Errorf("claim %s is left", c.GetName())
		}
	}
	for _, n := range nomadNodes(pool) {
		if !ids[n.ID] {
			t.Errorf("Nomad node %s is left", n.Name)
		}
	}
}

func vms(t *testing.T, pool string) []kubevirtv1.VirtualMachine {
	t.Helper()
	var l kubevirtv1.VirtualMachineList
	if err := w.Client.List(t.Context(), &l, of(pool)...); err != nil {
		t.Fatal(err)
	}
	return l.Items
}

// objects are those of a kind that carry a pool's label.
func objects(t *testing.T, l client.ObjectList, pool string) []client.Object {
	t.Helper()
	if err := w.Client.List(t.Context(), l, of(pool)...); err != nil {
		t.Fatal(err)
	}
	var out []client.Object
	_ = meta.EachListItem(l, func(o runtime.Object) error { // items of a typed list are always objects
		out = append(out, o.(client.Object))
		return nil
	})
	return out
}
