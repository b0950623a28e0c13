package e2e

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Nomad's servers change their leader while a member drains. The drain goes on as it is, its deadline included; and
// nobody is taken for broken until the new leader has had time to hear of everybody.
func TestLeaderOfNomadChanges(t *testing.T) {
	create(t, newPool("led", 3, func(p *v1alpha1.NomadNodePool) {
		p.Spec.ScaleIn.Strategy = v1alpha1.OldestCreateIndex
		p.Spec.Health.UnhealthyTimeout = metav1.Duration{Duration: unhealthyFor}
	}))
	eventually(t, "led", "the pool to settle", time.Minute, allReady(3))
	batch(t, "led", "led-batch", 3, forever)
	if err := scale(t, "led", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "led", "a member to drain in Nomad", 30*time.Second, nomadStatus("draining", 1))
	leaving, broken := oneOfEach(t, members(t, "led"))
	before := drainOf(t, leaving)

	if err := w.NomadServer.LoseLeadership(t.Context()); err != nil {
		t.Fatal(err)
	}
	changed := time.Now()
	if err := w.Hypervisor.KillClient(client.ObjectKeyFromObject(&broken)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "led", "the pool to wait for Nomad to settle", 30*time.Second,
		reports(v1alpha1.PoolReady, v1alpha1.ReasonNomadRecovering))
	if after := drainOf(t, leaving); !after.ForceDeadline.Equal(before.ForceDeadline) ||
		!after.StartedAt.Equal(before.StartedAt) {
		t.Errorf("the drain was %+v and is %+v", before, after)
	}
	// The member that drains still has its drain canceled in the place of the broken one.
	eventually(t, "led", "the broken member to go", recoveryTime+time.Minute, both(without(broken.Name), allReady(2)))
	if took := time.Since(changed); took < recoveryTime-5*time.Second {
		t.Errorf("the broken member was let go %s after the leader had changed", took)
	}
	if got := nextOrdinal(t, "led"); got != 3 {
		t.Errorf("%d members were made, not 3", got)
	}
	onlyMembersLeft(t, "led")
}

// oneOfEach returns a member that leaves and one that doesn't.
func oneOfEach(t *testing.T, nodes []v1alpha1.NomadNode) (leaving, staying v1alpha1.NomadNode) {
	t.Helper()
	for _, n := range nodes {
		if n.Spec.Drain != nil {
			leaving = n
		} else {
			staying = n
		}
	}
	if leaving.Name == "" || staying.Name == "" {
		t.Fatalf("the members are to leave for %v", orders(nodes))
	}
	return leaving, staying
}

func drainOf(t *testing.T, n v1alpha1.NomadNode) *api.DrainStrategy {
	t.Helper()
	node, _, err := w.Nomad.Nodes().Info(n.Spec.NodeID, nil)
	if err != nil || node.DrainStrategy == nil {
		t.Fatalf("Nomad node of %s: %+v, %v", n.Name, node, err)
	}
	return node.DrainStrategy
}
