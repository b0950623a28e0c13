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

// seenIn is a member that leaves, whose deadline is long past, and whose node was last seen in the Nomad there.
func seenIn(cluster string, change func(*v1alpha1.NomadNode, *memberShell)) *memberShell {
	s := newMemberShell(func(n *v1alpha1.NomadNode, s *memberShell) []client.Object {
		objects := running(n, s, nomad.Node{Status: nomad.NodeReady})
		n.Spec.Drain = nodestate.NewDrainRequest("intent-1", v1alpha1.DrainScaleIn, now.Add(-2*time.Hour),
			now.Add(-time.Hour))
		n.Status.Nomad.Cluster = cluster
		s.nomad.view.Nodes, s.nomad.inside = nil, nomad.Inspection{}
		change(n, s)
		return objects
	})
	return s
}

// The controller's own address may be led to another cluster. That nobody there knows a node doesn't end its drain.
func TestNodeIsNotMissedInAnotherCluster(t *testing.T) {
	asIs := func(*v1alpha1.NomadNode, *memberShell) {}
	for name, c := range map[string]struct {
		cluster string
		change  func(*v1alpha1.NomadNode, *memberShell)
		drained bool
	}{
		"where it was":        {"http://127.0.0.1:4646", asIs, true},
		"not known from when": {"", asIs, true},
		"led elsewhere":       {"http://former:4646", asIs, false},
		"another region":      {"http://127.0.0.1:4646, region eu", asIs, false},
		"deleted: at its deadline, as with a Nomad that can't be asked": {"http://former:4646", func(n *v1alpha1.NomadNode, _ *memberShell) {
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
				t.Errorf("said: %+v", d)
			}
		})
	}
}

// Where a node is seen is written down, also when the same cluster is asked at another address.
func TestClusterIsWrittenDown(t *testing.T) {
	for _, before := range []string{"", "http://former:4646"} {
		s := seenIn(before, func(n *v1alpha1.NomadNode, s *memberShell) {
			n.Spec.Drain = nil
			s.nomad.view.Nodes = map[string]nomad.Node{
				shellNodeID: {ID: shellNodeID, Name: "p-1", Status: nomad.NodeReady, Eligible: true}}
		})
		s.reconcile(t)
		if n := s.node(t); n.Status.Nomad.Cluster != "http://127.0.0.1:4646" ||
			nodestate.Condition(n, v1alpha1.NodeReady).Status != metav1.ConditionTrue {
			t.Errorf("from %q: %q, %+v", before, n.Status.Nomad.Cluster, nodestate.Condition(n, v1alpha1.NodeReady))
		}
	}
}
