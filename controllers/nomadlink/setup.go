package nomadlink

import (
	"errors"
	"net/http"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// SetupWithManager adds the watchers of Nomad to a manager, and returns the connections and the source of events.
// defaults reads the default connection, for what pools leave unset; addresses are for what they set. A watcher that
// doesn't go on makes the process neither ready nor healthy, so that it is started again.
func SetupWithManager(mgr ctrl.Manager, defaults func() (Config, error),
	addresses Addresses) (*Connections, *NomadSource, error) {
	c := &Connections{Reader: mgr.GetAPIReader(), ReadDefaults: defaults, Clock: clock.RealClock{}}
	n := &NomadSource{Connections: c}
	clusters := nomad.NewClusters(nomad.Options{
		Clock: clock.RealClock{}, Log: mgr.GetLogger().WithName("nomad"), OnChange: n.Changed,
		RefuseAddress: addresses.beside(mgr.GetConfig().Host).refuse,
	})
	c.Clusters, c.uses.unused = clusters, clusters.Drop
	alive := func(*http.Request) error { return clusters.Alive() }
	return c, n, errors.Join(mgr.Add(clusters), mgr.Add(c),
		mgr.AddHealthzCheck("nomad-watchers", alive), mgr.AddReadyzCheck("nomad-watchers", alive))
}
