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

// DefaultPurgePatience is how long the removal of a drained member waits for a Nomad that can't be asked, if nobody says otherwise.
const DefaultPurgePatience = 10 * time.Minute

// Reconciler leads each member through its life.
type Reconciler struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server. What is absent from the cache is believed only when it is absent here too.
	Live        client.Reader
	Connections *nomadlink.Connections
	Clock       clock.PassiveClock
	Events      emitter
	// Decide is member.Decide.
	Decide func(nodestate.State) member.Decision
	// NewID makes the IDs of intents.
	NewID func() string
	// PurgePatience is for how long the removal of a member waits for a Nomad that can't be asked.
	PurgePatience time.Duration

	tracking tracking
}

// holdRetry is how soon a VM that admission holds is halted once more, when that was refused as well.
const holdRetry = 15 * time.Second

// disagreement is how soon to look once more when Nomad's leader says something else than the view does.
const disagreement = 2 * time.Second

// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodes/status,verbs=patch
// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodes/finalizers,verbs=update
// +kubebuilder:rbac:groups=kubevirt.io,resources=virtualmachines,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=kubevirt.io,resources=virtualmachineinstances,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;delete
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;delete
// +kubebuilder:rbac:groups=harvesterhci.io,resources=virtualmachineimages;keypairs;virtualmachinetemplates;virtualmachinetemplateversions,verbs=get
// +kubebuilder:rbac:groups=k8s.cni.cncf.io,resources=network-attachment-definitions,verbs=get
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile observes one member, takes the next step of its life and reports.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	n := &v1alpha1.NomadNode{}
	if err := r.Client.Get(ctx, req.NamespacedName, n); err != nil {
		if apierrors.IsNotFound(err) {
			r.tracking.set(req.NamespacedName, nil, "")
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s, err := r.observe(ctx, n)
	if err != nil {
		return ctrl.Result{}, err
	}
	d := r.Decide(s.observed)
	acted, actErr := r.act(ctx, s, d)
	if explain(&s.observed, d.Step, actErr) {
		d, actErr, acted = r.Decide(s.observed), nil, false
	}
	if d.Step == member.Release && actErr == nil {
		return ctrl.Result{}, nil
	}
	// Described as it is after the step.
	if err := r.report(ctx, s, r.Decide(s.observed)); err != nil {
		actErr = errors.Join(actErr, err)
	}
	if s.pause > 0 && actErr == nil {
		return ctrl.Result{RequeueAfter: s.pause}, nil
	}
	return kube.Result(ctx, acted, nextLook(d.Wake), actErr)
}

// nextLook is when to look again. A member needs Nomad's watcher, which ends when nobody has asked for it for long, and of a
// pool that is gone, its members orphaned, nobody else does.
func nextLook(wake time.Duration) time.Duration {
	if wake <= 0 || wake > nomadlink.Refresh {
		return nomadlink.Refresh
	}
	return wake
}

// report writes the status, if it changed, and then tells of the changes.
func (r *Reconciler) report(ctx context.Context, s *scope, d member.Decision) error {
	before := *s.node
	before.Status = *s.node.Status.DeepCopy()
	setStatus(s, d)
	if equality.Semantic.DeepEqual(before.Status, s.node.Status) {
		return nil
	}
	after, err := kube.PatchNodeStatus(ctx, r.Client, &before, s.node.Status)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	s.node = after
	if before.Status.Phase != s.node.Status.Phase {
		log.FromContext(ctx).Info("phase", "from", before.Status.Phase, "to", s.node.Status.Phase)
	}
	r.tell(&before, s.node)
	return nil
}

// New makes the reconciler of members. The removal of a drained one waits for purgePatience for a Nomad that can't be asked.
func New(d kube.Deps, c *nomadlink.Connections, purgePatience time.Duration) *Reconciler {
	return &Reconciler{Client: d.Client, Live: d.Live, Connections: c, Clock: d.Clock, Events: emitter{kube.EventSink{EventRecorder: d.Recorder}}, Decide: member.Decide, NewID: d.NewID, PurgePatience: purgePatience}
}
