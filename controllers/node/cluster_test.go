package node

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// seenIn is a leaving member whose deadline is long past, and whose node was last seen in this cluster.
func seenIn(cluster string, change func(*v1alpha1.NomadNode, *fixture)) *fixture {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := running(n, s, nomad.Node{Status: nomad.NodeReady})
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-2*time.Hour),
			now.Add(-time.Hour))
		n.Status.Nomad.Cluster = cluster
		s.nomad.view.Nodes, s.nomad.inside = nil, nomad.Inspection{}
		change(n, s)
		return objects
	})
	return s
}

// The controller's default address may lead to another cluster. That this cluster doesn't know a node doesn't end the
// node's drain.
func TestNodeIsNotMissedInAnotherCluster(t *testing.T) {
	asIs := func(*v1alpha1.NomadNode, *fixture) {}
	for name, c := range map[string]struct {
		cluster string
		change  func(*v1alpha1.NomadNode, *fixture)
		drained bool
	}{
		"where it was":        {"http://127.0.0.1:4646", asIs, true},
		"not known from when": {"", asIs, true},
		"led elsewhere":       {"http://former:4646", asIs, false},
		"another region":      {"http://127.0.0.1:4646, region eu", asIs, false},
		"deleted: at its deadline, as with a Nomad that can't be asked": {"http://former:4646",
			func(n *v1alpha1.NomadNode, _ *fixture) {
				n.DeletionTimestamp, n.Finalizers = &metav1.Time{Time: now}, []string{v1alpha1.NodeFinalizer}
			}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := seenIn(c.cluster, c.change)
			s.reconcile(t)
			d := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted)
			if (d.Status == metav1.ConditionTrue) != c.drained {
				t.Errorf("drained: %+v", d)
			}
			if !c.drained && (d.Reason != v1alpha1.ReasonNomadUnknown || !strings.Contains(d.Message, c.cluster)) {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// The cluster in which a node is seen is recorded, also when the same cluster has another address.
func TestClusterIsRecorded(t *testing.T) {
	for _, before := range []string{"", "http://former:4646"} {
		s := seenIn(before, func(n *v1alpha1.NomadNode, s *fixture) {
			n.Spec.Drain = nil
			s.nomad.view.Nodes = map[string]nomad.Node{
				testNodeID: {ID: testNodeID, Name: "p-1", Status: nomad.NodeReady, Eligible: true}}
		})
		s.reconcile(t)
		if n := s.node(t); n.Status.Nomad.Cluster != "http://127.0.0.1:4646" ||
			nodestate.Condition(n, v1alpha1.NodeReady).Status != metav1.ConditionTrue {
			t.Errorf("from %q: %q, %+v", before, n.Status.Nomad.Cluster, nodestate.Condition(n, v1alpha1.NodeReady))
		}
	}
}
