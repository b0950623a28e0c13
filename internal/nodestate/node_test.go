package nodestate

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A member doesn't lose its VM, and its guest with it, because somebody edited the VM's labels or annotations. An
// external VM doesn't become a member's because it has them.
func TestMembersVMStaysItsOwn(t *testing.T) {
	marked := func(nodeID string) *kubevirtv1.VirtualMachine {
		return &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{
			Name: "p-1", Labels: map[string]string{v1alpha1.PoolLabel: "p"},
			Annotations: map[string]string{v1alpha1.PoolUIDAnnotation: "u", v1alpha1.MemberAnnotation: "p-1",
				v1alpha1.NodeIDAnnotation: nodeID},
		}}
	}
	node := func(recorded string) *v1alpha1.NomadNode {
		n := &v1alpha1.NomadNode{Spec: v1alpha1.NomadNodeSpec{PoolName: "p", PoolUID: "u", NodeID: "id"}}
		n.Status.VM.UID = recorded
		return n
	}
	stripped := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Name: "p-1", UID: "vm"}}
	other := marked("id")
	other.UID = "other"
	for name, c := range map[string]struct {
		node  *v1alpha1.NomadNode
		vm    *kubevirtv1.VirtualMachine
		owned bool
	}{"just made, not recorded yet": {node(""), marked("id"), true},
		"with another UID suffix":           {node(""), marked("other-id"), false},
		"without labels, not recorded":      {node(""), stripped, false},
		"recorded, its labels were removed": {node("vm"), stripped, true},
		"another one with all the labels":   {node("vm"), other, false}} {
		t.Run(name, func(t *testing.T) {
			if got := OwnsVM(c.node, c.vm); got != c.owned {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestWasLeaving(t *testing.T) {
	for phase, want := range map[v1alpha1.NodePhase]bool{
		"": false, v1alpha1.NodePending: false, v1alpha1.NodePhaseReady: false, v1alpha1.NodeUnhealthy: false,
		v1alpha1.NodeDraining: true, v1alpha1.NodePhaseDrained: true, v1alpha1.NodeDeleting: true, v1alpha1.NodePurging: true,
	} {
		n := &v1alpha1.NomadNode{}
		n.Status.Phase = phase
		if got := Of(n).WasLeaving(); got != want {
			t.Errorf("%q: %v", phase, got)
		}
	}
}

// Whoever edits a status by hand can leave a half of it. A member counts as drained only if how its drain ended is there
// as well, and what blocks a member always has a reason, without which the API server takes no condition.
func TestHalfAStatus(t *testing.T) {
	n := &v1alpha1.NomadNode{}
	n.Status.Conditions = []metav1.Condition{{Type: v1alpha1.NodeDrainCompleted, Status: metav1.ConditionTrue, Reason: "Empty"}}
	n.Status.BlockedBy = v1alpha1.BlockedByAdmission
	is := Of(n)
	if is.Drained {
		t.Error("drained, without a result")
	}
	if is.Blocked().Reason == "" {
		t.Error("blocked, without a reason")
	}
}

// A status that was lost doesn't take the names of the claims with it: the VM would go without its disks.
func TestClaimsOfALostStatus(t *testing.T) {
	n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Name: "p-1"}}
	n.Spec.NodeID = "aaaaaaaa-0000-4000-8000-000000000001"
	n.Spec.Template.Disks = []v1alpha1.Disk{{Name: "root"}}
	if got := ClaimsOf(n); !slices.Equal(got, []string{"p-1-root-aaaaaaaa"}) {
		t.Errorf("got %q", got)
	}
	if vm := VMOf(n, &kubevirtv1.VirtualMachine{}); vm.RemovalListed {
		t.Error("the VM names no claims, and they count as listed")
	}
}
