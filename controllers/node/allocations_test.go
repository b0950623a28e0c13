package node

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// byAddress is a Nomad for each address.
type byAddress map[string]*nomadStub

func (b byAddress) Get(c nomad.Connection) nomad.Cluster { return b[c.Address] }

func TestAllocationsArePolledNoLongerThanTheyMatter(t *testing.T) {
	update := func(change func(n *v1alpha1.NomadNode)) func(*testing.T, *fixture) {
		return func(t *testing.T, s *fixture) {
			n := s.node(t)
			change(n)
			if err := s.Client.Update(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change    func(*testing.T, *fixture)
		old, next bool
	}{
		"draining": {func(*testing.T, *fixture) {}, true, false},
		"gone by force": {func(t *testing.T, s *fixture) {
			update(func(n *v1alpha1.NomadNode) { n.Finalizers = nil })(t, s)
			_ = s.Client.Delete(t.Context(), s.node(t))
		}, false, false},
		"drain canceled": {update(func(n *v1alpha1.NomadNode) { n.Spec.Drain = nil }), false, false},
		"of another Nomad now": {update(func(n *v1alpha1.NomadNode) { n.Spec.Nomad.Address = "http://127.0.0.1:4647" }),
			false, true},
		"without connection": {update(func(n *v1alpha1.NomadNode) {
			n.Spec.Nomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: "missing"}
		}), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(1e12))
				return running(n, s,
					nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: &nomad.Drain{DrainID: "request-1"}})
			})
			next := &nomadStub{view: s.nomad.view}
			s.Connections.Clusters = byAddress{"http://127.0.0.1:4646": s.nomad, "http://127.0.0.1:4647": next}
			s.reconcile(t)
			c.change(t, s)
			s.reconcile(t)
			if s.nomad.tracks != c.old || next.tracks != c.next {
				t.Errorf("polls: %t, and the next Nomad: %t", s.nomad.tracks, next.tracks)
			}
		})
	}
}
