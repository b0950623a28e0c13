package node

import (
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const formerAddress = "http://former:4646"

// nomads are two living ones.
type nomads map[string]nomad.Cluster

func (n nomads) Get(c nomad.Connection) nomad.Cluster { return n[c.Address] }

// The guest of a member that leaves has just joined the Nomad that its pool led to before, which doesn't list it yet. Its
// VM stays, nothing is said of that, and in a moment it is drained there. So it is if a job hides the node from the list.
func TestMemberThatHasJustJoinedTheFormerNomad(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
		n.Status.JoinedTime, n.Spec.FormerNomad = nil, &v1alpha1.FormerNomad{}
		n.Spec.FormerNomad.Address = formerAddress
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Hour))
		return objects
	})
	former, here := &nomadStub{view: s.nomad.view, inside: s.nomad.inside}, s.nomad
	former.view.Nodes, here.view.Nodes, here.inside = nil, nil, nomad.Inspection{}
	s.Connections.Clusters = nomads{formerAddress: former, s.node(t).Spec.Nomad.Address: here}
	s.reconcile(t)
	n := s.node(t)
	if n.Status.Nomad.Cluster != formerAddress {
		t.Errorf("it was seen in %q", n.Status.Nomad.Cluster)
	}
	if n.Status.Phase == v1alpha1.NodeDeleting || !slices.Contains(former.calls, "refresh") {
		t.Errorf("phase %s; of the former Nomad was asked %v", n.Status.Phase, former.calls)
	}
	former.inside.Node.PoolUID, former.inside.Node.Member = "u", "p-1"
	s.reconcile(t)
	if where := s.node(t).Status.Nomad.Cluster; where != formerAddress || !slices.Contains(former.calls, "cordon") ||
		slices.Contains(here.calls, "cordon") {
		t.Errorf("seen in %q; of the former Nomad was asked %v, of the other %v", where, former.calls, here.calls)
	}
}
