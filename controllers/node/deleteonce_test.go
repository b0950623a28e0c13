package node

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// What was deleted a moment ago isn't deleted once more, nor patched before that, because the cache doesn't show it yet.
func TestTheSameIsDeletedOnce(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
		n.Status.DrainResult = v1alpha1.DrainEmpty
		n.Status.Conditions = []metav1.Condition{{Type: v1alpha1.NodeDrainCompleted, Status: metav1.ConditionTrue,
			Reason: string(v1alpha1.DrainEmpty), LastTransitionTime: metav1.NewTime(now)}}
		objects := running(n, s, nomad.Node{Status: nomad.NodeReady})
		objects[0].SetFinalizers([]string{kubevirtv1.VirtualMachineControllerFinalizer})
		return objects
	})
	seen := s.counted(func(string) error { return nil })
	node, vm := s.node(t), s.vm(t)
	var shows func(client.Object) bool
	s.cacheShows(func(_ client.ObjectKey, o client.Object) (bool, error) {
		switch old := o.(type) {
		case *v1alpha1.NomadNode:
			if !shows(o) {
				node.DeepCopyInto(old)
				return true, nil
			}
		case *kubevirtv1.VirtualMachine:
			if !shows(o) {
				vm.DeepCopyInto(old)
				return true, nil
			}
		}
		return false, nil
	})
	reconciles := func(what string, does func(client.Object) bool, want ...string) {
		t.Helper()
		*seen, shows = nil, does
		s.reconcile(t)
		*seen = slices.DeleteFunc(*seen, func(w string) bool { return w == "patch status of v1alpha1.NomadNode" })
		if !slices.Equal(*seen, want) {
			t.Errorf("%s: %q, want %q", what, *seen, want)
		}
	}
	none := func(client.Object) bool { return false }
	onlyNode := func(o client.Object) bool { _, ok := o.(*v1alpha1.NomadNode); return ok }
	reconciles("drained", none, "delete v1alpha1.NomadNode")
	reconciles("the NomadNode is deleted, and the cache doesn't show it", none)
	reconciles("the cache shows it", onlyNode, "patch v1.VirtualMachine", "delete v1.VirtualMachine")
	reconciles("the VM is deleted, and the cache doesn't show it", onlyNode)
}
