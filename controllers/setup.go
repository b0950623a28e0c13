package controllers

import (
	"context"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/utils/clock"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/controllers/uninstall"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// CacheOptions keeps in memory what the controllers watch, and no more: of the cluster's virtual machines only those of
// pools.
func CacheOptions() cache.Options {
	ofPools, err := labels.NewRequirement(v1alpha1.PoolLabel, selection.Exists, nil)
	utilruntime.Must(err)
	only := cache.ByObject{Label: labels.NewSelector().Add(*ofPools), Transform: cache.TransformStripManagedFields()}
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&kubevirtv1.VirtualMachine{}:         only,
		&kubevirtv1.VirtualMachineInstance{}: only,
	}}
}

// Add adds the reconcilers, the sweeper, and the Nomad watchers that wake the reconcilers, to a manager. Defaults reads
// the connection to Nomad that pools may leave unset.
func Add(ctx context.Context, mgr ctrl.Manager, defaults func() (nomadlink.Config, error), config Config) error {
	if err := kube.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	n := &nomadlink.NomadSource{Reader: mgr.GetClient()}
	clusters := nomad.NewClusters(nomad.Options{Clock: clock.RealClock{}, Log: mgr.GetLogger().WithName("nomad"), OnChange: n.Changed})
	if err := mgr.Add(clusters); err != nil {
		return err
	}
	c := &nomadlink.Connections{Reader: mgr.GetAPIReader(), ReadDefaults: defaults, Clusters: clusters, Clock: clock.RealClock{}}
	if err := mgr.Add(c); err != nil {
		return err
	}
	d := kube.Deps{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: clock.RealClock{}, Recorder: mgr.GetEventRecorder("nomad-harvester"), NewID: uuid.NewString}
	if err := mgr.Add(gc.New(d, c, config.SweepInterval, config.SweepGrace)); err != nil {
		return err
	}
	if err := uninstall.New(d).Setup(mgr); err != nil {
		return err
	}
	err := ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.NomadNodePool{}).Owns(&v1alpha1.NomadNode{}).
		WatchesRawSource(n.OfPools()).WithOptions(kube.Options(4)).Complete(pool.New(d, c))
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.NomadNode{}).
		Watches(&kubevirtv1.VirtualMachine{}, sameName()).Watches(&kubevirtv1.VirtualMachineInstance{}, sameName()).
		WatchesRawSource(n.OfNodes()).WithOptions(kube.Options(config.Workers)).Complete(node.New(d, c, config.PurgePatience))
}

// sameName maps a VM or its instance to the member, which has its name.
func sameName() handler.EventHandler { return &handler.EnqueueRequestForObject{} }
