package node

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A pool that grows has its VMs first, and one that shrinks is rid of them first, before it is written how the others do.
func TestMembersThatComeOrGoAreReconciledFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		fixture *fixture
		want    int
	}{
		"to be made": {notMade(0, "a Secret that isn't there"), kube.Urgent},
		"stays": {newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
			return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
		}), kube.Routine},
		"leaves": {newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
			n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Minute))
			return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
		}), kube.Urgent},
	} {
		if r := tc.fixture.reconcile(t); r.Priority == nil || *r.Priority != tc.want {
			t.Errorf("%s: %+v, want priority %d", name, r, tc.want)
		}
	}
}
