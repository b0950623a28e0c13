package node

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// DefaultPurgeTimeout is how long the removal of a drained member waits by default for a Nomad that can't be asked.
const DefaultPurgeTimeout = 10 * time.Minute

// Reconciler leads each member through its life.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server. An object that is missing in the cache counts as absent only if it is missing here
	// too.
	Live        client.Reader
	Connections *nomadlink.Connections
	Clock       clock.PassiveClock
	Events      emitter
	// Next is member.Next, and Describe is member.Describe.
	Next     func(nodestate.State) member.Decision
	Describe func(nodestate.State, member.Outcome) member.Description
	// NewID makes the IDs of drain requests.
	NewID func() string
	// PurgeTimeout is for how long the removal of a member waits for a Nomad that can't be asked.
	PurgeTimeout time.Duration

	tracking tracking
	pace     kube.Pace
	written  kube.Writes
	vms      kube.Writes // of these only which were deleted
	facts    factsCache
	denials  kube.ByName[denial]
	accepted kube.ByName[accepted]
}

// haltRetry is how soon the controller tries again to halt a deleted VM, when admission denied that too.
const haltRetry = 15 * time.Second

// notAskedRetry is how soon to reconcile again just after a start, when Nomad has not been asked yet.
const notAskedRetry = time.Second

// countRetry is how soon to check again if the pool has counted the member that is to be released.
const countRetry = time.Second

// viewRetry is how soon to reconcile again when Nomad's leader reports something else than the view.
const viewRetry = 2 * time.Second

// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodes,verbs=get;list;watch;create;patch;delete,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodes/status,verbs=patch,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodes/finalizers,verbs=update,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=kubevirt.io,resources=virtualmachines,verbs=get;list;watch;create;patch;delete,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=kubevirt.io,resources=virtualmachineinstances,verbs=get;list;watch,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;patch;delete,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;delete,roleName=nomad-harvester-controller-namespaces
// +kubebuilder:rbac:groups=harvesterhci.io,resources=virtualmachineimages;keypairs;virtualmachinetemplates;virtualmachinetemplateversions,verbs=get
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch,roleName=nomad-harvester-controller-namespaces

// Reconcile observes one member, takes the next step of its life and reports: observe, Next, apply, Describe, one write
// of the status, and then Events and metrics. Steps between which nothing has to be waited for are taken together.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	n := &v1alpha1.NomadNode{}
	if err := r.Client.Get(ctx, req.NamespacedName, n); err != nil {
		if apierrors.IsNotFound(err) {
			r.tracking.set(req.NamespacedName, nil, "")
			r.pace.Forget(req.NamespacedName)
			r.written.Forget(req.NamespacedName)
			r.vms.Forget(req.NamespacedName)
			r.denials.Forget(req.NamespacedName)
			r.accepted.Forget(req.NamespacedName)
			r.Connections.ForgetMember(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if lag := r.written.Lag(n, r.Clock.Now()); lag > 0 {
		return ctrl.Result{RequeueAfter: lag}, nil
	}
	var result ctrl.Result
	s, err := r.observe(ctx, n)
	if err != nil {
		result, err = kube.Result(ctx, true, 0, err)
	} else {
		result, err = r.proceed(ctx, s)
		n = s.node
	}
	result.Priority = new(priority(n, result.RequeueAfter == kube.Again))
	return result, err
}

// priority is that of a member's next reconcile; goes says that it goes on at once. One that waits, or that failed, is
// no longer urgent: hundreds of them would otherwise keep the others from their turn for as long as that lasts. As
// long as a member is being drained, or its drain is being undone, each reconcile is urgent: Nomad keeps to the drain's
// deadline.
func priority(n *v1alpha1.NomadNode, goes bool) int {
	is := nodestate.Of(n)
	comesOrGoes := !is.VMMade || is.Leaving()
	if n.Spec.Drain != nil && !is.Drained || comesOrGoes && goes {
		return kube.Urgent
	}
	return kube.Routine
}

// proceed takes the step that follows from what was observed, and reports.
func (r *Reconciler) proceed(ctx context.Context, s *scope) (ctrl.Result, error) {
	d, out, stepErr := r.act(ctx, s)
	if d.Step == member.Release && stepErr == nil && out.RetryAfter == 0 {
		return ctrl.Result{}, nil
	}
	rest, reportErr := r.report(ctx, s, out)
	if err := errors.Join(stepErr, reportErr); err != nil {
		return kube.Result(ctx, true, 0, err)
	}
	if pause := pause(s, out); pause > 0 {
		return ctrl.Result{RequeueAfter: nodestate.Sooner(pause, rest)}, nil
	}
	return kube.Result(ctx, d.Step != member.Wait, nodestate.Sooner(requeueAfter(d.Wake), rest), nil)
}

// pause is how long to wait before the next reconcile, whatever the step; 0: the step decides. A node that isn't in
// Nomad's list causes no wake-up when it changes.
func pause(s *scope, out member.Outcome) time.Duration {
	if s.observed.Nomad.Unlisted && (out.RetryAfter == 0 || out.RetryAfter > viewRetry) {
		return viewRetry
	}
	return out.RetryAfter
}

// requeueAfter caps the time until the next reconcile: each member must use its Nomad watcher within its idle time, or
// the watcher ends. A member whose pool is gone is the only one that uses it.
func requeueAfter(wake time.Duration) time.Duration {
	if wake <= 0 || wake > nomadlink.Refresh {
		return nomadlink.Refresh
	}
	return wake
}

// report describes the member after the step, writes that if it changed, and then emits the changes as Events and
// metrics. It returns when to report what isn't written yet; 0: nothing.
func (r *Reconciler) report(ctx context.Context, s *scope, out member.Outcome) (time.Duration, error) {
	status := statusOf(s, s.node, out, r.Describe(s.observed, out))
	if equality.Semantic.DeepEqual(s.node.Status, status) {
		return 0, nil
	}
	if rest := r.rest(s, status); rest > 0 {
		return rest, nil
	}
	return 0, client.IgnoreNotFound(r.writeStatus(ctx, s, status))
}

// writeStatus writes the status, if nobody else has written since the member was read, and then emits the changes.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope, status v1alpha1.NomadNodeStatus) error {
	before := s.node
	after, err := kube.PatchNodeStatus(ctx, r.Client, before, status)
	if err != nil {
		return err
	}
	s.node, s.latest = after, true
	r.pace.Wrote(client.ObjectKeyFromObject(after), s.observed.Now)
	r.written.Wrote(after, r.Clock.Now())
	if before.Status.Phase != after.Status.Phase {
		log.FromContext(ctx).Info("phase", "from", before.Status.Phase, "to", after.Status.Phase)
	}
	r.emitChanges(before, after)
	return nil
}

// New makes the reconciler of members. The removal of a drained member waits for purgeTimeout for a Nomad that can't be
// asked.
func New(d kube.Deps, c *nomadlink.Connections, purgeTimeout time.Duration) *Reconciler {
	return &Reconciler{Client: d.Client, Live: d.Live, Connections: c, Clock: d.Clock,
		Events: emitter{kube.EventSink{EventRecorder: d.Recorder}}, Next: member.Next, Describe: member.Describe,
		NewID: d.NewID, PurgeTimeout: purgeTimeout}
}
