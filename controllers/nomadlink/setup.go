package nomadlink

import (
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// SetupWithManager adds the watchers of Nomad to a manager, and returns the connections and the source of events.
// defaults reads the default connection, for what pools leave unset.
func SetupWithManager(mgr ctrl.Manager, defaults func() (Config, error)) (*Connections, *NomadSource, error) {
	c := &Connections{Reader: mgr.GetAPIReader(), ReadDefaults: defaults, Clock: clock.RealClock{}}
	n := &NomadSource{Connections: c}
	clusters := nomad.NewClusters(
		nomad.Options{Clock: clock.RealClock{}, Log: mgr.GetLogger().WithName("nomad"), OnChange: n.Changed})
	if err := mgr.Add(clusters); err != nil {
		return nil, nil, err
	}
	c.Clusters = clusters
	return c, n, mgr.Add(c)
}
