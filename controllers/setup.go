package controllers

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/utils/clock"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/controllers/uninstall"
)

// CacheOptions limits the cache to what the controllers watch and read: of the cluster's virtual machines only those of
// pools, and of pools and members what is used; and to some namespaces, if there are any.
func CacheOptions(namespaces []string) cache.Options {
	ofPools, err := labels.NewRequirement(v1alpha1.PoolLabel, selection.Exists, nil)
	utilruntime.Must(err)
	only := cache.ByObject{Label: labels.NewSelector().Add(*ofPools), Transform: cache.TransformStripManagedFields()}
	var in map[string]cache.Config
	for _, name := range namespaces {
		if in == nil {
			in = map[string]cache.Config{}
		}
		in[name] = cache.Config{}
	}
	return cache.Options{DefaultNamespaces: in, ByObject: map[client.Object]cache.ByObject{
		&v1alpha1.NomadNodePool{}:            {Transform: ofUsed},
		&v1alpha1.NomadNode{}:                {Transform: ofUsed},
		&kubevirtv1.VirtualMachine{}:         only,
		&kubevirtv1.VirtualMachineInstance{}: only,
	}}
}

// Add adds all controllers to a manager. defaults reads the default connection to Nomad, for what pools leave unset.
func Add(ctx context.Context, mgr ctrl.Manager, defaults func() (nomadlink.Config, error), config Config) error {
	if err := kube.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	connections, ofNomad, err := nomadlink.SetupWithManager(mgr, defaults)
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
