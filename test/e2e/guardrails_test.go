package e2e

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A paused pool makes nobody and lets nobody go, says so, and does what was asked for once it is no longer paused.
// Who asked, and for what, is reported.
func TestBlockedPoolIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	create(t, newPool("paused-still", 2))
	eventually(t, "paused-still", "the pool to settle", time.Minute, allReady(2))
	before := orders(members(t, "paused-still"))
	pause := func(yes bool) {
		change(t, "paused-still", func(p *v1alpha1.NomadNodePool) { p.Spec.Paused = yes })
	}
	paused := func(condition string) check {
		return both(are(before), both(reports(condition, v1alpha1.ReasonPaused, "spec.paused"), both(
			reports(v1alpha1.PoolReady, v1alpha1.ReasonPaused), reports(v1alpha1.PoolPaused, v1alpha1.ReasonPaused))))
	}
	pause(true)
	for _, c := range []struct {
		replicas  int32
		condition string
		event     string
	}{
		{4, v1alpha1.PoolScalingOut, "Replicas 2 -> 4: changed by kubectl"},
		{1, v1alpha1.PoolScalingIn, "Replicas 4 -> 1: changed by kubectl"},
	} {
		kubectlScales(t, "paused-still", c.replicas)
		eventually(t, "paused-still", "the pool to say that it is held", 30*time.Second, paused(c.condition))
		stays(t, "paused-still", "the pool is left as it is", 2*time.Second, paused(c.condition))
		reported(t, "paused-still", "Scaled", c.event)
	}
	p, _, err := read(t.Context(), "paused-still")
	if err != nil {
		t.Fatal(err)
	}
	if last := p.Status.LastScale; last.From != 4 || last.To != 1 || last.Reason != "changed by kubectl" {
		t.Errorf("lastScale is %+v", last)
	}
	pause(false)
	eventually(t, "paused-still", "the surplus to leave", time.Minute,
		both(allReady(1), reports(v1alpha1.PoolPaused, v1alpha1.ReasonAsExpected)))
	onlyMembersLeft(t, "paused-still")
}

// kubectlScales is scale by the name that kubectl writes under.
func kubectlScales(t *testing.T, pool string, replicas int32) {
	t.Helper()
	p, _, err := read(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Client.SubResource("scale").Patch(t.Context(), p, replicasPatch(replicas),
		client.FieldOwner("kubectl")); err != nil {
		t.Fatal(err)
	}
}
