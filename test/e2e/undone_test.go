package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Somebody who may write nodes in Nomad undoes each cordon and each drain of a member. It goes at its deadline all the
// same, and Nomad isn't asked again and again meanwhile.
func TestDrainThatSomebodyUndoesEnds(t *testing.T) {
	t.Parallel()
	const deadline = 20 * time.Second
	create(t, newPool("undone", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = deadline }))
	eventually(t, "undone", "the pool to settle", time.Minute, allReady(1))
	leaving := members(t, "undone")[0]
	undo(t, leaving.Spec.NodeID)
	if err := scale(t, "undone", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "undone", "the member to say that its drain is undone", time.Minute,
		memberReports(1, v1alpha1.NodeDrainCompleted, v1alpha1.ReasonDrainUndone, "somebody undoes it"))
	eventually(t, "undone", "the member to go", 2*time.Minute, allReady(0))
}

// undo makes the node eligible and cancels its drain, again and again until the test ends.
func undo(t *testing.T, nodeID string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		for ctx.Err() == nil {
			_, _ = w.Nomad.Nodes().UpdateDrain(nodeID, nil, true, (&api.WriteOptions{}).WithContext(ctx)) // it is gone in the end
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { cancel(); ended.Wait() })
}
