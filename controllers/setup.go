package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// Scheme holds the kinds that the controllers work with.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(kubevirtv1.AddToScheme(s))
	utilruntime.Must(v1alpha1.AddToScheme(s))
	return s
}

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

// Add adds the reconcilers, the sweeper, and the Nomad watchers that wake the reconcilers, to a manager. Own reads the
// controller's own connection to Nomad.
func Add(ctx context.Context, mgr ctrl.Manager, own func() (nomad.Connection, error), config Config) error {
	index := func(o client.Object) []string { return []string{o.(*v1alpha1.NomadNode).Spec.NodeID} }
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.NomadNode{}, nodeIDIndex, index); err != nil {
		return fmt.Errorf("indexing NomadNodes: %w", err)
	}
	n := &nomadSource{reader: mgr.GetClient()}
	clusters := nomad.NewClusters(nomad.Options{Clock: clock.RealClock{}, Log: mgr.GetLogger().WithName("nomad"), OnChange: n.changed})
	if err := mgr.Add(clusters); err != nil {
		return err
	}
	c := &Connections{Reader: mgr.GetAPIReader(), Own: own, Clusters: clusters, Clock: clock.RealClock{}}
	if err := mgr.Add(c); err != nil {
		return err
	}
	d := Deps{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Connections: c, Clock: clock.RealClock{}, Recorder: mgr.GetEventRecorder("nomad-harvester"), NewID: uuid.NewString}
	if err := mgr.Add(NewSweeper(d, clock.RealClock{}, config)); err != nil {
		return err
	}
	if err := (&inUse{client: mgr.GetClient(), live: mgr.GetAPIReader()}).setup(mgr); err != nil {
		return err
	}
	err := ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.NomadNodePool{}).Owns(&v1alpha1.NomadNode{}).
		WatchesRawSource(n.ofPools()).WithOptions(options(4)).Complete(NewPoolReconciler(d))
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.NomadNode{}).
		Watches(&kubevirtv1.VirtualMachine{}, sameName()).Watches(&kubevirtv1.VirtualMachineInstance{}, sameName()).
		WatchesRawSource(n.ofNodes()).WithOptions(options(config.Workers)).Complete(NewNodeReconciler(d, config))
}

// Deps is what the reconcilers touch the world with.
type Deps struct {
	// Client reads from the cache and writes; Live reads from the API server.
	Client client.Client
	Live   client.Reader
	// Connections lead to Nomad.
	Connections *Connections
	Clock       clock.PassiveClock
	Recorder    events.EventRecorder
	// NewID makes lower-case UUIDs, never the same twice.
	NewID func() string
}

// NewPoolReconciler makes the reconciler of pools.
func NewPoolReconciler(d Deps) *NomadNodePoolReconciler {
	return &NomadNodePoolReconciler{Client: d.Client, Live: d.Live, Connections: d.Connections, Clock: d.Clock, Events: eventSink{d.Recorder}, Decide: pool.Decide, NewID: d.NewID}
}

// NewNodeReconciler makes the reconciler of members.
func NewNodeReconciler(d Deps, c Config) *NomadNodeReconciler {
	return &NomadNodeReconciler{Client: d.Client, Live: d.Live, Connections: d.Connections, Clock: d.Clock, Events: eventSink{d.Recorder}, Decide: member.Decide, NewID: d.NewID, PurgePatience: c.PurgePatience}
}

// NewSweeper makes the sweeper.
func NewSweeper(d Deps, ticking clock.WithTicker, c Config) *Sweeper {
	return &Sweeper{Client: d.Client, Live: d.Live, Connections: d.Connections, Clock: ticking, Events: eventSink{d.Recorder}, Interval: c.SweepInterval, Grace: c.SweepGrace}
}

// sameName maps a VM or its instance to the member, which has its name.
func sameName() handler.EventHandler { return &handler.EnqueueRequestForObject{} }

func options(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](100*time.Millisecond, time.Minute),
	}
}
