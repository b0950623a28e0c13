package controllers

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/controllers/uninstall"
)

// Add adds all controllers to a manager. defaults reads the default connection to Nomad, for what pools leave unset.
func Add(ctx context.Context, mgr ctrl.Manager, defaults func() (nomadlink.Config, error), config Config) error {
	if err := kube.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	connections, ofNomad, err := nomadlink.SetupWithManager(mgr, defaults, config.NomadAddresses)
	if err != nil {
		return err
	}
	d := kube.Deps{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: clock.RealClock{},
		Recorder: mgr.GetEventRecorder("nomad-harvester"), NewID: uuid.NewString, Namespaces: config.Namespaces,
	}
	return errors.Join(gc.New(d, connections, config.GCInterval, config.GCGracePeriod).SetupWithManager(mgr),
		uninstall.New(d).SetupWithManager(mgr), pool.New(d, connections).SetupWithManager(mgr, ofNomad.OfPools()),
		node.New(d, connections, config.PurgeTimeout).SetupWithManager(mgr, ofNomad.OfNodes(), config.Workers))
}
