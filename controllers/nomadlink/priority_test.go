package nomadlink

import (
	"testing"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// What Nomad reports of a member that leaves is urgent: its VM goes once its last allocation has stopped.
func TestNomadWakesByUrgency(t *testing.T) {
	for name, tc := range map[string]struct {
		leaves bool
		want   int
	}{"stays": {false, kube.Routine}, "leaves": {true, kube.Urgent}} {
		u, mine, _ := twoConnections()
		u.note(memberNamed("mine-1", "mine", "id-1"), false, place{}, tc.leaves, now, func() nomad.Cluster { return mine })
		c, _, _, _ := credentials(tokenSecret())
		c.uses.of, c.uses.at, c.uses.places = u.of, u.at, u.places
		q := priorityqueue.New[ctrl.Request]("test")
		n := &NomadSource{Connections: c}
		if err := n.OfNodes()(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		n.Changed(mine, []string{"id-1"})
		if r, priority, _ := q.GetWithPriority(); r.Name != "mine-1" || priority != tc.want {
			t.Errorf("%s: %s with priority %d, not %d", name, r, priority, tc.want)
		}
		q.ShutDown()
	}
}
