package pool

import (
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Who reads a pool's Events sees in whose place a member is made.
func TestMemberCreatedNamesWhomItReplaces(t *testing.T) {
	for reason, want := range map[v1alpha1.DrainReason]string{
		v1alpha1.DrainUnhealthy: "in the place of p-1", v1alpha1.DrainJoinTimeout: "in the place of p-1",
		v1alpha1.DrainRollout: "in the place of p-1", v1alpha1.DrainDeleted: "",
	} {
		s := newFixture(func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			n.Spec.Drain = nodestate.NewDrainRequest("i", reason, now.Add(-time.Minute), now.Add(time.Hour))
		})
		s.reconcile(t)
		created := ""
		for len(s.events.Events) > 0 {
			if e := <-s.events.Events; strings.Contains(e, "MemberCreated") {
				created = e
			}
		}
		if created == "" || strings.Contains(created, "in the place of") != (want != "") || !strings.Contains(created, want) {
			t.Errorf("%s: %q", reason, created)
		}
	}
}
