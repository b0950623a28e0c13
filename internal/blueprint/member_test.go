package blueprint_test

import (
	"maps"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
)

func TestIsMember(t *testing.T) {
	tests := map[string]struct {
		copy func(vm *kubevirtv1.VirtualMachine)
		want bool
	}{
		"the member itself": {func(*kubevirtv1.VirtualMachine) {}, true},
		"a clone made in Harvester's UI, which copies labels": {func(vm *kubevirtv1.VirtualMachine) {
			vm.Name, vm.Annotations = "clone", map[string]string{}
		}, false},
		"a VM made from a generated template, which copies labels and annotations": {func(vm *kubevirtv1.VirtualMachine) {
			vm.Name = "from-template"
		}, false},
		"the member after an edit in Harvester's UI": {func(vm *kubevirtv1.VirtualMachine) {
			vm.Labels["harvesterhci.io/creator"] = "harvester"
			vm.Annotations["harvesterhci.io/volumeClaimTemplates"] = "[]"
		}, true},
		"a member of an older pool of the same name": {func(vm *kubevirtv1.VirtualMachine) {
			vm.Annotations[v1alpha1.PoolUIDAnnotation] = "other"
		}, false},
		"a VM that lost its label": {func(vm *kubevirtv1.VirtualMachine) {
			delete(vm.Labels, v1alpha1.PoolLabel)
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := blueprinttest.Member()
			vm := rendertest.Member(t, m, blueprinttest.Facts()).VM
			vm.Labels, vm.Annotations = maps.Clone(vm.Labels), maps.Clone(vm.Annotations)
			tt.copy(vm)
			if got := blueprint.IsMember(vm, m.PoolName, m.PoolUID); got != tt.want {
				t.Errorf("IsMember = %v, want %v", got, tt.want)
			}
		})
	}
	if blueprint.IsMember(&kubevirtv1.VirtualMachine{}, "", "") {
		t.Error("a VM without marks is a member of a pool without a name")
	}
}

func TestMemberOf(t *testing.T) {
	want := blueprinttest.Member()
	want.Region = "eu"
	n := &v1alpha1.NomadNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: want.Namespace, Name: want.Name},
		Spec: v1alpha1.NomadNodeSpec{
			PoolName: want.PoolName, PoolUID: want.PoolUID, NodeID: want.NodeID, Revision: want.Revision,
			Nomad:    v1alpha1.NomadSpec{NomadConnection: v1alpha1.NomadConnection{Region: "eu"}, NomadClient: want.Client},
			Template: want.Template,
		},
	}
	if got := blueprint.MemberOf(n); !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("a member differs from its record:\n%+v\nwant:\n%+v", got, want)
	}
}

// Two members never share a claim or a Secret, even when they follow each other under one name, or when one's name with
// the name of a disk gives the other's.
func TestNamesAreNewForEachMember(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z]{1,3}(-[a-z]{1,2})?`)
		id := rapid.StringMatching(`[0-9a-f]{8}-4a55`)
		a, b := blueprinttest.Member(), blueprinttest.Member()
		a.Name, a.NodeID = name.Draw(t, "name a"), id.Draw(t, "id a")
		b.Name, b.NodeID = name.Draw(t, "name b"), id.Draw(t, "id b")
		if a.NodeID == b.NodeID {
			t.Skip("the same member")
		}
		if blueprint.SecretName(a) == blueprint.SecretName(b) {
			t.Fatalf("both have the Secret %s", blueprint.SecretName(a))
		}
		taken := map[string]bool{}
		for _, claim := range append(blueprint.ClaimNames(a), blueprint.ClaimNames(b)...) {
			if taken[claim] {
				t.Fatalf("both have the claim %s", claim)
			}
			taken[claim] = true
		}
	})
}
