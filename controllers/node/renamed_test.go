package node

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A member still owns its Nomad node after an operator gave the client another name.
func TestRenamedNomadNodeIsStillOwned(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		return running(n, s, nomad.Node{Name: "renamed", Status: nomad.NodeReady, Eligible: true})
	})
	s.reconcile(t)
	n := s.node(t)
	if n.Status.Phase != v1alpha1.NodePhaseReady || n.Spec.Drain != nil {
		t.Errorf("phase %s, drain %v", n.Status.Phase, n.Spec.Drain)
	}
}
