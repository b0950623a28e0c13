package uninstall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// finalizer keeps the admission policies in force while there are members: `kubectl delete -k` deletes them as well,
// and nothing can refuse that (Kubernetes exempts admission policies from admission policies).
const finalizer = "nomad.harvesterhci.io/in-use"

// uninstallPolicy is the name of the policy that refuses to have the installation removed, and of its binding.
const uninstallPolicy = "nomad-harvester-uninstall"

// guardedPolicies are the names of the policies, and of their bindings, that stay while there are members. The first
// guards the others.
var guardedPolicies = []string{uninstallPolicy, "nomad-harvester-member-delete", "nomad-harvester-namespace-delete"}

// reportedPolicies are those that may go while there are members, but not without a word. What they refuse is listed in
// docs/security.md.
var reportedPolicies = []string{"nomad-harvester-controller-secrets", "nomad-harvester-controller-vms",
	"nomad-harvester-member-create", "nomad-harvester-member-marks", "nomad-harvester-pool-author"}

// selectsNothing matches no object. The binding has it while there are no pools and members. The manifests leave the
// field out, so that applying them again changes nothing, and the installation is protected also without a controller.
var selectsNothing = &admissionv1.MatchResources{
	ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"nomad.harvesterhci.io/in-use": "nothing"}},
}

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=nomad-harvester-uninstall;nomad-harvester-member-delete;nomad-harvester-namespace-delete,verbs=get;patch
// +kubebuilder:rbac:groups=nomad.harvesterhci.io,resources=nomadnodepools;nomadnodes,verbs=list
// +kubebuilder:rbac:groups=events.k8s.io,namespace=default,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=nomad-harvester-controller-secrets;nomad-harvester-controller-vms;nomad-harvester-member-create;nomad-harvester-member-marks;nomad-harvester-pool-author,verbs=get

// checkInterval is the time between two checks of the policies. They aren't watched, and somebody may delete or apply
// them meanwhile.
const checkInterval = 5 * time.Minute

// Guard keeps an installation from being removed while there are members: without the controller, its roles or its
// kinds nobody drains the members, and their NomadNodes can't be deleted.
type Guard struct {
	client client.Client
	// live reads past the cache, which would otherwise watch every admission policy there is.
	live client.Reader
	// seesAll is whether the cache holds the pools and members of all namespaces.
	seesAll bool
	clock   clock.PassiveClock
	events  emitter
	// inUse is whether there were pools or members at the last check; nil: no check yet.
	inUse *bool
	// checkedAt is the time of the last check.
	checkedAt time.Time
	// reported is the last message about missing policies.
	reported string
}

// New makes the guard.
func New(d kube.Deps) *Guard {
	return &Guard{client: d.Client, live: d.Live, seesAll: len(d.Namespaces) == 0, clock: d.Clock,
		events: emitter{kube.EventSink{EventRecorder: d.Recorder}}}
}

// SetupWithManager adds it to a manager. It runs once at the start, and for each event of pools and members.
func (u *Guard) SetupWithManager(mgr ctrl.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(
		func(context.Context, client.Object) []ctrl.Request { return []ctrl.Request{{}} })
	// An earlier process may have left the policies armed, so it runs even if there are no pools and members.
	once := source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		q.Add(ctrl.Request{})
		return nil
	})
	return ctrl.NewControllerManagedBy(mgr).Named("in-use").
		Watches(&v1alpha1.NomadNodePool{}, one).Watches(&v1alpha1.NomadNode{}, one).WatchesRawSource(once).
		WithOptions(kube.Options(1)).Complete(reconcile.Func(u.reconcile))
}

func (u *Guard) reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	used, err := u.used(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	now, toggled := u.clock.Now(), u.inUse == nil || *u.inUse != used
	if left := u.checkedAt.Add(checkInterval).Sub(now); !toggled && left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	missing, err := u.guard(ctx, used)
	if err != nil {
		u.inUse = nil // some are changed, and others not
		return ctrl.Result{}, fmt.Errorf("protecting the installation: %w", err)
	}
	u.inUse, u.checkedAt = &used, now
	u.report(ctx, missing)
	if toggled {
		log.FromContext(ctx).
			Info("checked the admission policies that protect the installation", "inUse", used, "complete", len(missing) == 0)
	}
	return ctrl.Result{RequeueAfter: checkInterval}, nil
}

// report emits which policies are missing, once for each different message.
func (u *Guard) report(ctx context.Context, missing []unprotected) {
	message := explainUnprotected(missing)
	if message != "" && message != u.reported {
		log.FromContext(ctx).Info(message)
		u.events.guardBroken(missing[0].object, message)
	}
	u.reported = message
}

// used reports if there is a pool or a member. Those of namespaces that aren't the controller's count: they are as lost
// without the kinds, and whoever comes next may be given their namespace.
func (u *Guard) used(ctx context.Context) (bool, error) {
	there, err := used(ctx, u.client)
	if err != nil || there || u.seesAll {
		return there, err
	}
	return used(ctx, u.live)
}

func used(ctx context.Context, from client.Reader) (bool, error) {
	var nodes v1alpha1.NomadNodeList
	if err := from.List(ctx, &nodes, client.Limit(1)); err != nil || len(nodes.Items) > 0 {
		return err == nil, err
	}
	var pools v1alpha1.NomadNodePoolList
	err := from.List(ctx, &pools, client.Limit(1))
	return len(pools.Items) > 0, err
}

// guard arms or disarms the policies and bindings that exist: an installation may do without them. It returns those
// that should be armed, and are missing or being deleted.
func (u *Guard) guard(ctx context.Context, on bool) ([]unprotected, error) {
	if !on {
		return nil, u.disarm(ctx)
	}
	var missing []unprotected
	var errs []error
	check := func(o client.Object, change func()) { // nil only looks
		there, err := u.change(ctx, o, change)
		if meta.IsNoMatchError(err) {
			return // a Kubernetes before 1.30 has no such policies, which need not be reported
		}
		errs = append(errs, err)
		if err == nil && (!there || o.GetDeletionTimestamp() != nil) {
			missing = append(missing, unprotected{o, kindOf(o), o.GetName(), there})
		}
	}
	for _, o := range byName(guardedPolicies) {
		check(o, func() { arm(o, true) })
	}
	for _, o := range byName(reportedPolicies) {
		check(o, nil)
	}
	return missing, errors.Join(errs...)
}

// disarm lets the binding go last that keeps the installation from being removed, and nothing more after a failure. So
// whoever may remove the controller finds nothing that only the controller could have released.
func (u *Guard) disarm(ctx context.Context) error {
	// The bindings first: Kubernetes takes no change of one that has parameters once its policy has gone.
	others, last := byName(guardedPolicies[1:]), byName(guardedPolicies[:1])
	slices.Reverse(last)
	for _, o := range slices.Concat(others, last) {
		if _, err := u.change(ctx, o, func() { arm(o, false) }); err != nil && !meta.IsNoMatchError(err) {
			return err
		}
	}
	return nil
}

// byName returns bindings and policies of these names.
func byName(names []string) []client.Object {
	var objects []client.Object
	for _, name := range names {
		objects = append(objects,
			&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}},
			&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return objects
}

// arm has a policy or a binding stay, or go.
func arm(o client.Object, on bool) {
	setFinalizer(o, on)
	if b, ok := o.(*admissionv1.ValidatingAdmissionPolicyBinding); ok && b.Name == uninstallPolicy {
		b.Spec.MatchResources = nil
		if !on {
			b.Spec.MatchResources = selectsNothing
		}
	}
}

// change changes an object, if it is there; nil: nothing of it.
func (u *Guard) change(ctx context.Context, o client.Object, change func()) (there bool, err error) {
	name := o.GetName()
	if err := u.live.Get(ctx, client.ObjectKey{Name: name}, o); err != nil {
		o.SetName(name)
		return false, client.IgnoreNotFound(err)
	}
	if change == nil {
		return true, nil
	}
	before := o.DeepCopyObject().(client.Object)
	change()
	if equality.Semantic.DeepEqual(before, o) {
		return true, nil
	}
	err = u.client.Patch(ctx, o, kube.Locked(before))
	return !apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

// setFinalizer adds or removes the finalizer. An object that is being deleted can't get a new one.
func setFinalizer(o client.Object, on bool) {
	switch {
	case !on:
		controllerutil.RemoveFinalizer(o, finalizer)
	case o.GetDeletionTimestamp() == nil:
		controllerutil.AddFinalizer(o, finalizer)
	}
}
