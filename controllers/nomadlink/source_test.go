package nomadlink

import (
	"testing"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// The two controllers don't start at the same moment. One that has started, and has seen everything before a change, has
// to be woken by it, though the other hasn't.
func TestTheControllerThatHasStartedIsWoken(t *testing.T) {
	for name, start := range map[string]func(*NomadSource, kube.Queue) error{
		"pools": func(n *NomadSource, q kube.Queue) error { return n.OfPools()(t.Context(), q) },
		"nodes": func(n *NomadSource, q kube.Queue) error { return n.OfNodes()(t.Context(), q) },
	} {
		u, mine, _ := twoConnections()
		c, _, _, _ := credentials(tokenSecret())
		c.uses.of, c.uses.at, c.uses.places = u.of, u.at, u.places
		q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
		n := &NomadSource{Connections: c}
		n.Changed(mine, nil) // nobody has started
		if err := start(n, q); err != nil {
			t.Fatal(err)
		}
		n.Changed(mine, nil)
		if q.Len() != 1 {
			t.Errorf("%s: %d are woken", name, q.Len())
		}
		q.ShutDown()
	}
}
