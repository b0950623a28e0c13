package pool

import (
	"testing"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
)

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
