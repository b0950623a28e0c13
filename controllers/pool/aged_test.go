package pool

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// While Nomad is away a blocked member is replaced all the same, and others are made.
func TestPoolReplacesABlockedMemberWhileNomadIsAway(t *testing.T) {
	s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		n.Status.JoinedTime, n.Status.VM.UID, n.Status.BlockedBy = nil, "", v1alpha1.BlockedByName
		n.Status.Conditions = []metav1.Condition{{Type: v1alpha1.NodeVMReady, Status: metav1.ConditionFalse,
			Reason: v1alpha1.ReasonVMNameTaken, Message: "taken", LastTransitionTime: metav1.NewTime(now.Add(-time.Hour))}}
	})
	s.nomad.view = nomad.View{Health: nomad.Health{State: nomad.HealthUnreachable}}
	if _, err := s.Reconcile(t.Context(),
		ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: "p"}}); err != nil {
		t.Fatal(err)
	}
	var l v1alpha1.NomadNodeList
	if err := s.Client.List(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	for _, n := range l.Items {
		if n.Name == "p-1" || s.nomad.refreshes != 0 {
			t.Errorf("%s is left, blocked by %q; asked anew %d times", n.Name, n.Status.BlockedBy, s.nomad.refreshes)
		}
	}
}

// Nobody is chosen by a view that is old, though it counts as known. It is taken anew first.
func TestPoolChoosesByAFreshView(t *testing.T) {
	s := newFixture(func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
		p.Spec.Replicas, p.Spec.ScaleIn.Strategy = ptr.To[int32](0), v1alpha1.NewestCreateIndex
		p.Status.LastScale.From, p.Status.LastScale.To = 1, 0
	})
	s.nomad.view.Taken = now.Add(-nomadlink.ActLimit - 1)
	if _, n := s.reconcile(t); n.Spec.Drain != nil || s.nomad.refreshes != 1 {
		t.Errorf("with an old view: drain %+v, asked anew %d times", n.Spec.Drain, s.nomad.refreshes)
	}
	s.nomad.view.Taken = now.Add(-nomadlink.ActLimit)
	if _, n := s.reconcile(t); n.Spec.Drain == nil || s.nomad.refreshes != 1 {
		t.Errorf("with a fresh view: drain %+v, asked anew %d times", n.Spec.Drain, s.nomad.refreshes)
	}
}

// Nor by an old view of the Nomad that a member is in, which needn't be the pool's.
func TestPoolChoosesByFreshViewsOfAllNomads(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		scaledToNone(p, n)
		p.Spec.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
	})
	former := s.Connections.Clusters.(twoNomads)[formerAddress]
	former.view.Taken = now.Add(-nomadlink.ActLimit - 1)
	if _, n := s.reconcile(t); n.Spec.Drain != nil || former.refreshes != 1 || s.nomad.refreshes != 0 {
		t.Errorf("with an old view: drain %+v, asked anew %d times, and the pool's %d times", n.Spec.Drain,
			former.refreshes, s.nomad.refreshes)
	}
	former.view.Taken = now.Add(-nomadlink.ActLimit)
	if _, n := s.reconcile(t); n.Spec.Drain == nil || former.refreshes != 1 {
		t.Errorf("with a fresh view: drain %+v, asked anew %d times", n.Spec.Drain, former.refreshes)
	}
}
