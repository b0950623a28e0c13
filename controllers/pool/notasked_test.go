package pool

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A member may be in another Nomad than its pool leads to. Until that one has been asked, moments after the controllers
// have started, nobody is chosen to leave and the pool's status stays as it is.
func TestNobodyIsChosenBeforeTheNomadOfEachMemberIsAsked(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) { p.Spec.Rollout.Type = v1alpha1.OnDelete })
	former := s.Connections.Clusters.(twoNomads)[formerAddress]
	s.reconcile(t)
	before, _ := s.reconcile(t)
	scaled := before.DeepCopy()
	scaled.Spec.Replicas, scaled.Spec.ScaleIn.Strategy = ptr.To[int32](0), v1alpha1.NewestCreateIndex
	if err := s.Client.Update(t.Context(), scaled); err != nil {
		t.Fatal(err)
	}
	answers := former.view
	former.view = nomad.View{Health: nomad.Health{State: nomad.HealthUnknown}}
	s.reconcile(t)
	if p, n := s.reconcile(t); n.Spec.Drain != nil || !equality.Semantic.DeepEqual(p.Status, before.Status) {
		t.Errorf("requested is %+v, and the status changed: %s", n.Spec.Drain, cmp.Diff(before.Status, p.Status))
	}
	former.view = answers
	s.reconcile(t) // which writes down the change of replicas
	if _, n := s.reconcile(t); n.Spec.Drain == nil {
		t.Error("nobody leaves once it has been asked")
	}
}

// What isn't known of a member that leaves changes nothing that the pool's status says of it.
func TestMembersThatLeaveDontKeepTheStatusAsItIs(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		scaledToNone(p, n)
		n.DeletionTimestamp, n.Finalizers = &metav1.Time{Time: now}, []string{v1alpha1.NodeFinalizer}
	})
	former := s.Connections.Clusters.(twoNomads)[formerAddress]
	s.reconcile(t)
	former.view = nomad.View{Health: nomad.Health{State: nomad.HealthUnknown}}
	before, _ := s.reconcile(t)
	paused := before.DeepCopy()
	paused.Spec.Paused = true
	if err := s.Client.Update(t.Context(), paused); err != nil {
		t.Fatal(err)
	}
	if p, _ := s.reconcile(t); !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.PoolPaused) {
		t.Error("the status doesn't say that the pool is paused")
	}
}
