package node

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A guest that has registered is in that cluster, ready or not. If the connection leads to another one a moment later,
// which doesn't know the guest, the guest isn't taken for one that never came: it may get work where it is.
func TestGuestThatHasJustRegisteredIsNotMissedInAnotherCluster(t *testing.T) {
	registered := nomad.Node{ID: testNodeID, Name: "p-1", Status: "initializing", Eligible: true}
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := running(n, s, registered)
		n.Status.JoinedTime, s.nomad.view.Nodes = nil, nil
		n.CreationTimestamp = metav1.NewTime(now)
		objects[0].SetCreationTimestamp(metav1.NewTime(now))
		return objects
	})
	after := func(d time.Duration) {
		s.clock.SetTime(s.clock.Now().Add(d))
		s.nomad.view.Taken = s.clock.Now()
		s.reconcile(t)
	}
	after(0) // the guest boots
	s.nomad.view.Nodes = map[string]nomad.Node{testNodeID: registered}
	after(5 * time.Second)
	n := s.node(t)
	n.Spec.Nomad.Address = "http://other:4646"
	if err := s.Client.Update(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	s.nomad.view.Nodes, s.nomad.inside = nil, nomad.Inspection{} // the other cluster doesn't know it
	after(5 * time.Second)
	n = s.node(t)
	n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainJoinTimeout, s.clock.Now(),
		s.clock.Now().Add(15*time.Minute))
	if err := s.Client.Update(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	after(time.Minute)
	if is := s.node(t).Status; is.DrainResult != "" {
		t.Errorf("its VM goes: %s, seen in %q", is.DrainResult, is.Nomad.Cluster)
	}
}
