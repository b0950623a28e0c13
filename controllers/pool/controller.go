package pool

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// Reconciler keeps as many members as a pool's replicas ask for.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server: before members are made or chosen to leave, they are counted there.
	Live        client.Reader
	Connections *nomadlink.Connections
	Clock       clock.PassiveClock
	Events      emitter
	// Decide is pool.Decide.
	Decide func(pool.Snapshot) pool.Plan
	// NewID makes the IDs of drain requests and of Nomad nodes: lower-case UUIDs, never the same twice.
	NewID func() string
	// Each is kube.InParallel.
	Each func(n, limit int, do func(i int) error) error

	pace  kube.Pace
	hosts hosts
}

// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodepools,verbs=get;list;watch;patch,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodepools/status,verbs=patch,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodepools/finalizers,verbs=update,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=nomad-harvester-system,resources=leases,verbs=get;create;update
// +kubebuilder:rbac:groups="",namespace=nomad-harvester-system,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Reconcile observes one pool, does what is to be done about it and reports: observe, Decide, apply, one write of the
// status, and then Events and metrics.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	p := &v1alpha1.NomadNodePool{}
	if err := r.Client.Get(ctx, req.NamespacedName, p); err != nil {
		if apierrors.IsNotFound(err) {
			kube.ForgetMetrics(req.Namespace, req.Name)
			r.pace.Forget(req.NamespacedName)
			r.Connections.ForgetPool(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s, err := r.observe(ctx, p, false)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan, out := r.Decide(s.snapshot), pool.Outcome{}
	var planErr error
	if plan.Acts() && written(s) {
		s, plan, out, planErr = r.applyFresh(ctx, s, plan)
	}
	syncErr := r.syncMembers(ctx, s)
	rest, reportErr := r.report(ctx, s, plan, out)
	err = errors.Join(planErr, syncErr, reportErr)
	return kube.Result(ctx, plan.Acts(), nodestate.Sooner(requeueAfter(s, plan.Wake), rest), err)
}

// applyFresh plans again with what the API server holds now, because the cache may not show what was written a moment
// ago, and does that.
func (r *Reconciler) applyFresh(ctx context.Context, old *scope,
	oldPlan pool.Plan) (*scope, pool.Plan, pool.Outcome, error) {
	p := &v1alpha1.NomadNodePool{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(old.pool), p); err != nil {
		return old, oldPlan, pool.Outcome{}, client.IgnoreNotFound(err)
	}
	s, err := r.observe(ctx, p, true)
	if err != nil {
		return old, oldPlan, pool.Outcome{}, err
	}
	plan := r.Decide(s.snapshot)
	if !written(s) {
		return s, plan, pool.Outcome{}, nil
	}
	now := plan
	if plan.Chooses() && refreshAged(s) {
		now = plan.WithoutChoices() // the next reconcile chooses
	}
	out, err := r.apply(ctx, s, now)
	return s, plan, out, err
}

// refreshAged has each Nomad asked anew whose view is too old to choose members by it, the pool's and those that
// members are in, and reports whether there is one. Nobody is chosen by what a Nomad showed that can't be asked.
func refreshAged(s *scope) (aged bool) {
	links := []nomadlink.Link{s.link}
	for _, name := range slices.Sorted(maps.Keys(s.places)) {
		links = append(links, s.places[name].link)
	}
	asked := map[nomad.Cluster]bool{}
	for _, l := range links {
		if l.Known && l.Aged(s.snapshot.Now) && !asked[l.Cluster] {
			l.Cluster.Refresh()
			aged, asked[l.Cluster] = true, true
		}
	}
	return aged
}

// written reports whether the last change of replicas, and where the pool's servers lead to, are in its status.
// Otherwise they are written first, and the next reconcile acts upon them: if they were lost, members would leave as if
// replicas had not changed for long, or be asked for where they aren't.
func written(s *scope) bool {
	return equality.Semantic.DeepEqual(s.scale, s.pool.Status.LastScale) &&
		equality.Semantic.DeepEqual(s.nomad, s.pool.Status.Nomad)
}

// detailInterval is how often counts and words of a pool are written at most, of which a hundred members that come at
// once would make a hundred.
const detailInterval = 2 * time.Second

// report writes the status, if it changed, and then emits the Events of the change. It returns when to report what
// isn't written yet; 0: nothing.
func (r *Reconciler) report(ctx context.Context, s *scope, plan pool.Plan, out pool.Outcome) (time.Duration, error) {
	before := *s.pool
	before.Status = *s.pool.Status.DeepCopy()
	if justStarted(s) && !plan.Acts() {
		return 0, nil
	}
	setStatus(s, plan, out)
	if !equality.Semantic.DeepEqual(before.Status, s.pool.Status) {
		name, now := client.ObjectKeyFromObject(s.pool), s.snapshot.Now
		if left := r.pace.Left(name, now, detailInterval); left > 0 && onlyDetails(before.Status, s.pool.Status) {
			return left, nil
		}
		after, err := kube.PatchPoolStatus(ctx, r.Client, &before, s.pool.Status)
		if err != nil {
			return 0, client.IgnoreNotFound(err)
		}
		s.pool = after
		r.pace.Wrote(name, now)
		if was, is := before.Status.LastScale, s.pool.Status.LastScale; is != nil && !equality.Semantic.DeepEqual(was, is) {
			log.FromContext(ctx).Info("replicas changed", "from", is.From, "to", is.To, "reason", is.Reason)
			r.Events.scaled(s.pool, is)
		}
		r.emitEvents(&before, s)
	}
	reportPool(s.pool, s.snapshot.NomadKnown)
	return 0, keepReplicas(ctx, r.Client, s.pool)
}

// onlyDetails is true if two statuses differ in nothing but how many members do what, and in words.
func onlyDetails(a, b v1alpha1.NomadNodePoolStatus) bool {
	return equality.Semantic.DeepEqual(withoutDetails(a), withoutDetails(b))
}

func withoutDetails(s v1alpha1.NomadNodePoolStatus) v1alpha1.NomadNodePoolStatus {
	s = *s.DeepCopy()
	s.Replicas, s.ReadyReplicas, s.UpdatedReplicas = 0, 0, 0
	s.JoiningReplicas, s.DrainingReplicas, s.UnhealthyReplicas = 0, 0, 0
	s.Joins = nil // the members' status has them, until they are here
	kube.DropMessages(s.Conditions)
	return s
}

// justStarted reports whether Nomad has not been asked yet, or that of a member that stays, while the pool's status has
// what an earlier process wrote. It stays as it is then, so that a restart of the controller doesn't flip conditions.
// They don't depend on what Nomad knows of members that leave.
func justStarted(s *scope) bool {
	notAsked := func(m pool.Member) bool { return m.NomadNotAsked && !m.Leaving }
	return (s.link.NotAsked || slices.ContainsFunc(s.snapshot.Members, notAsked)) &&
		meta.FindStatusCondition(s.pool.Status.Conditions, v1alpha1.PoolReady) != nil
}

// New makes the reconciler of pools.
func New(d kube.Deps, c *nomadlink.Connections) *Reconciler {
	return &Reconciler{Client: d.Client, Live: d.Live, Connections: c, Clock: d.Clock,
		Events: emitter{kube.EventSink{EventRecorder: d.Recorder}}, Decide: pool.Decide, NewID: d.NewID,
		Each: kube.InParallel}
}
