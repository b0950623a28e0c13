package node

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A watcher of Nomad ends when nothing uses it. Then a member that waits for its allocations without a limit would
// never learn of their end, and a member whose pool is gone would never show that its node went down.
func TestMemberKeepsItsNomadWatched(t *testing.T) {
	for name, c := range map[string]struct {
		change func(n *v1alpha1.NomadNode)
		want   time.Duration
	}{
		"wanted": {func(n *v1alpha1.NomadNode) { n.Spec.Drain = nil }, nomadlink.Refresh},
		"retained": {func(n *v1alpha1.NomadNode) {
			n.Spec.ScaleIn.Drain.OnTimeout, n.Spec.Drain.DeadlineTime.Time = v1alpha1.DrainRetain, now.Add(-time.Hour)
		}, nomadlink.Refresh},
		"before a far deadline": {func(n *v1alpha1.NomadNode) { n.Spec.Drain.DeadlineTime.Time = now.Add(time.Hour) },
			nomadlink.Refresh},
		"before a near deadline": {func(n *v1alpha1.NomadNode) { n.Spec.Drain.DeadlineTime.Time = now.Add(time.Second) },
			time.Second},
		"at the deadline": {func(*v1alpha1.NomadNode) {}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-time.Minute), now)
				c.change(n)
				leaves := n.Spec.Drain != nil
				node := nomad.Node{Status: nomad.NodeReady, Eligible: !leaves, Draining: leaves,
					LastDrain: &nomad.Drain{DrainID: "request-1"}}
				s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: {alloc}}}
				return running(n, s, node)
			})
			s.reconcile(t)
			before := s.node(t).ResourceVersion
			if res := s.reconcile(t); res.RequeueAfter != c.want {
				t.Errorf("reconciles again after %s", res.RequeueAfter)
			}
			if s.node(t).ResourceVersion != before {
				t.Error("writes each time")
			}
		})
	}
}
