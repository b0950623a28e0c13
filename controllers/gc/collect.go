package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// Collector removes the orphaned Nomad nodes, claims and Secrets of members whose NomadNode is gone. It is a Runnable
// of controller-runtime's manager, and runs only in the leader.
type Collector struct {
	// Client writes, and reads the VMs of pools from the cache.
	Client client.Client
	// Live reads from the API server: a resource that is missing in the cache is no reason to remove anything.
	Live        client.Reader
	Connections *nomadlink.Connections
	Clock       clock.PassiveClock
	Events      emitter
	// Interval is the time between two runs; 0: it never runs.
	Interval time.Duration
	// Grace is for how long a resource must have been orphaned, at every run, before it is removed. It restarts with the
	// controller.
	Grace time.Duration
	// Namespaces are those of the pools that it collects of; empty: all.
	Namespaces []string

	// Each is inParallel.
	Each func(n, limit int, do func(i int) error) error

	seen    orphan.Seen
	answers map[question]answer
}

// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=list,roleName=nomad-harvester-controller-namespaces

// SetupWithManager has a manager run it.
func (s *Collector) SetupWithManager(mgr ctrl.Manager) error { return mgr.Add(s) }

// NeedLeaderElection has only the leader collect.
func (s *Collector) NeedLeaderElection() bool { return true }

// Start runs at every interval until the context ends.
func (s *Collector) Start(ctx context.Context) error {
	if s.Interval <= 0 {
		return nil
	}
	ctx = log.IntoContext(ctx, log.FromContext(ctx).WithName("gc"))
	_ = wait.PollUntilContextCancel(ctx, s.Interval, false, func(ctx context.Context) (bool, error) {
		if err := s.collectSafely(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).
				Error(err, "not all orphaned resources could be checked or removed; the next run tries again")
		}
		return false, nil
	}) // the end of the context is no error
	return nil
}

// collectSafely turns a panic into an error of this run, so that the process goes on.
func (s *Collector) collectSafely(ctx context.Context) error {
	whole := false
	err := kube.CatchPanic(func() error {
		err := s.Collect(ctx)
		whole = true
		return err
	})
	if !whole {
		s.seen = orphan.Seen{} // as after an error
	}
	return err
}

// Collect runs once, and removes what has been orphaned for long enough.
func (s *Collector) Collect(ctx context.Context) error {
	o, err := s.observe(ctx)
	if err != nil {
		s.seen = orphan.Seen{} // what wasn't observed may have changed
		return err
	}
	errs := o.unseen // errors of single pools don't block other pools
	plan, seen := orphan.Decide(o.Observed, s.seen, s.Grace)
	s.seen = seen
	for _, l := range plan.Report {
		s.report(ctx, o, l)
	}
	nodes, failed := s.removeObjects(ctx, o, plan.Remove)
	return errors.Join(slices.Concat(errs, failed, s.removeNodes(ctx, o, nodes))...)
}

// removeObjects removes what is in Kubernetes, and returns the Nomad nodes that may be purged after it.
func (s *Collector) removeObjects(ctx context.Context, o *scope,
	all []orphan.Resource) (nodes byCluster[orphan.Resource], errs []error) {
	failed := map[orphan.Key]bool{}
	for _, l := range all {
		secret := orphan.Key{Namespace: l.Namespace, Name: l.Secret}
		if failed[secret] {
			continue // this resource is what leads to the Secret that couldn't be removed
		}
		if l.Kind == orphan.ClientNode {
			nodes.add(o.clusters[l.Key], l)
			continue
		}
		if err := s.remove(ctx, o, l); err != nil {
			errs = append(errs, err)
			failed[secret] = true
		}
	}
	return nodes, errs
}

// removeNodes purges Nomad nodes. A cluster that fails once waits for the next run.
func (s *Collector) removeNodes(ctx context.Context, o *scope, all byCluster[orphan.Resource]) []error {
	return inEach(ctx, s.Each, all, func(ctx context.Context, nodes []orphan.Resource) error {
		for _, l := range nodes {
			if err := s.remove(ctx, o, l); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Collector) report(ctx context.Context, o *scope, l orphan.Resource) {
	if l.Kind == orphan.NomadNode {
		log.FromContext(ctx).Info("a member's pool is gone", "namespace", l.Namespace, "member", l.Name)
		s.Events.poolGone(o.nodes[l.Key])
		return
	}
	log.FromContext(ctx).Info("the NomadNode of a VM is gone", "namespace", l.Namespace, "vm", l.Name)
	if p := o.pools[l.PoolUID]; p != nil {
		s.Events.vmOrphaned(p, l)
	}
}

func (s *Collector) remove(ctx context.Context, o *scope, l orphan.Resource) error {
	var removed bool
	var err error
	switch l.Kind {
	case orphan.Secret:
		removed, err = s.removeSecret(ctx, l)
	case orphan.Claim:
		removed, err = s.removeClaim(ctx, o, l)
	case orphan.ClientNode:
		removed, err = s.purge(ctx, o, l)
	case orphan.VM, orphan.NomadNode: // only reported
	}
	if err != nil {
		return fmt.Errorf("removing %s %s/%s: %w", l.Kind, l.Namespace, l.Name, err)
	}
	if !removed {
		return nil
	}
	log.FromContext(ctx).Info("removed an orphaned resource", "kind", l.Kind, "namespace", l.Namespace, "name", l.Name,
		"member", l.Member, "poolUID", l.PoolUID)
	orphansRemoved.WithLabelValues(string(l.Kind)).Inc()
	if p := o.pools[l.PoolUID]; p != nil {
		s.Events.orphanRemoved(p, l)
	}
	return nil
}

// removeSecret removes a Secret whose name was derived, if its labels confirm that it is the member's.
func (s *Collector) removeSecret(ctx context.Context, l orphan.Resource) (bool, error) {
	secret := &corev1.Secret{}
	if err := s.Live.Get(ctx, client.ObjectKey{Namespace: l.Namespace, Name: l.Name}, secret); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	marked := secret.Labels[v1alpha1.PoolLabel] != "" && secret.Labels[v1alpha1.NodeLabel] == l.Member &&
		secret.Annotations[v1alpha1.PoolUIDAnnotation] == l.PoolUID
	if !marked || secret.DeletionTimestamp != nil {
		return false, nil
	}
	return deleted(s.Client.Delete(ctx, secret, kube.Exactly(secret.UID)))
}

func (s *Collector) removeClaim(ctx context.Context, o *scope, l orphan.Resource) (bool, error) {
	pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: l.Namespace, Name: l.Name}}
	return deleted(s.Client.Delete(ctx, pvc, kube.Exactly(o.claims[l.Key])))
}

// purge asks Nomad once more, because the client may have come back in the meantime.
func (s *Collector) purge(ctx context.Context, o *scope, l orphan.Resource) (bool, error) {
	cluster := o.clusters[l.Key]
	in, err := cluster.Inspect(ctx, l.Name)
	if err != nil || !in.Found || in.Node.Status != nomad.NodeDown || in.Node.PoolUID != l.PoolUID ||
		in.Node.Member != l.Member {
		return false, err
	}
	return true, cluster.Purge(ctx, l.Name)
}

func deleted(err error) (bool, error) { return err == nil, client.IgnoreNotFound(err) }

// New makes the collector, which runs at each interval.
func New(d kube.Deps, c *nomadlink.Connections, interval, grace time.Duration) *Collector {
	return &Collector{Client: d.Client, Live: d.Live, Connections: c, Clock: d.Clock,
		Events: emitter{kube.EventSink{EventRecorder: d.Recorder}}, Interval: interval, Grace: grace,
		Namespaces: d.Namespaces, Each: inParallel}
}
