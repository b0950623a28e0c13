package node

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func volumeObject(name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"namespace": "ns", "name": name}}}
	obj.SetGroupVersionKind(dataVolumeKind)
	return obj
}

// A DataVolume that has no claim yet would outlive its member, and make the claim later. DataVolumes of others stay.
func TestDataVolumesGoWithTheirMember(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, _ *fixture) []client.Object {
		n.Finalizers = []string{v1alpha1.NodeFinalizer}
		n.DeletionTimestamp = &metav1.Time{Time: now.Add(-time.Minute)}
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainDeleted, now.Add(-time.Minute), now)
		n.Spec.ScaleIn.Purge = new(bool)
		n.Status.VM.UID, n.Status.Claims = "vm", []string{"p-1-root-aaaaaaaa"}
		n.Status.DrainResult = v1alpha1.DrainDeadlinePassed
		meta.SetStatusCondition(&n.Status.Conditions,
			metav1.Condition{Type: v1alpha1.NodeDrainCompleted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeadline})
		return []client.Object{volumeObject("p-1-root-aaaaaaaa"), volumeObject("p-1-root-bbbbbbbb")}
	})
	for range 3 { // The claims are observed, deleted, and observed to be gone; then the NomadNode goes.
		if _, err := s.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns",
			Name: "p-1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if !s.gone(t, "p-1-root-aaaaaaaa") || s.gone(t, "p-1-root-bbbbbbbb") {
		t.Errorf("the member's DataVolume is gone: %t; the other's: %t", s.gone(t, "p-1-root-aaaaaaaa"),
			s.gone(t, "p-1-root-bbbbbbbb"))
	}
}

func (s *fixture) gone(t *testing.T, name string) bool {
	t.Helper()
	err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: name}, volumeObject(name))
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err != nil
}
