package uninstall

import (
	"context"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
)

// Finalizer keeps the admission policies in force while there are members: `kubectl delete -k` deletes them as well, and nothing
// can refuse that (Kubernetes exempts admission policies from admission policies).
const Finalizer = "nomad.harvesterhci.io/in-use"

// uninstallPolicy is the name of the policy that refuses to have the installation removed, and of its binding.
const uninstallPolicy = "nomad-harvester-uninstall"

// guardedPolicies are the names of the policies, and of their bindings, that stay while there are members.
var guardedPolicies = []string{uninstallPolicy, "nomad-harvester-member-delete"}

// selectsNothing matches no object. It is what the binding is given while there is nothing to guard. The manifests leave the field out, so that
// whoever applies them again changes nothing; and without a controller the installation is guarded.
var selectsNothing = &admissionv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"nomad.harvesterhci.io/in-use": "nothing"}}}

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=nomad-harvester-uninstall;nomad-harvester-member-delete,verbs=get;patch

// Guard keeps an installation from being taken away under its members: without the controller, its roles or its kinds nobody
// drains them, and their records can't go.
type Guard struct {
	Client client.Client
	// live reads past the cache, which would otherwise watch every admission policy there is.
	Live client.Reader
	// guarded is what was last written; nil: nothing yet.
	guarded *bool
}

// Setup adds it to a manager.
func (u *Guard) Setup(mgr ctrl.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request { return []ctrl.Request{{}} })
	// What an earlier process has left is looked at even if there is nothing else to look at.
	once := source.Func(func(_ context.Context, q nomadlink.Queue) error { q.Add(ctrl.Request{}); return nil })
	return ctrl.NewControllerManagedBy(mgr).Named("in-use").
		Watches(&v1alpha1.NomadNodePool{}, one).Watches(&v1alpha1.NomadNode{}, one).WatchesRawSource(once).
		WithOptions(kube.Options(1)).Complete(reconcile.Func(u.reconcile))
}

func (u *Guard) reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	used, err := u.used(ctx)
	if err != nil || u.guarded != nil && *u.guarded == used {
		return ctrl.Result{}, err
	}
	if err := u.guard(ctx, used); err != nil {
		return ctrl.Result{}, fmt.Errorf("guarding the installation: %w", err)
	}
	u.guarded = &used
	log.FromContext(ctx).Info("guarded the installation against removal", "guarded", used)
	return ctrl.Result{}, nil
}

// used tells if there is a pool or a member.
func (u *Guard) used(ctx context.Context) (bool, error) {
	var nodes v1alpha1.NomadNodeList
	if err := u.Client.List(ctx, &nodes, client.Limit(1)); err != nil || len(nodes.Items) > 0 {
		return err == nil, err
	}
	var pools v1alpha1.NomadNodePoolList
	err := u.Client.List(ctx, &pools, client.Limit(1))
	return len(pools.Items) > 0, err
}

// guard arms or disarms what there is of the policies and bindings: an installation may do without them.
func (u *Guard) guard(ctx context.Context, on bool) error {
	var errs []error
	for _, name := range guardedPolicies {
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
		errs = append(errs, u.change(ctx, name, binding, func() {
			hold(binding, on)
			switch {
			case name == uninstallPolicy && on:
				binding.Spec.MatchResources = nil
			case name == uninstallPolicy:
				binding.Spec.MatchResources = selectsNothing
			}
		}))
		policy := &admissionv1.ValidatingAdmissionPolicy{}
		errs = append(errs, u.change(ctx, name, policy, func() { hold(policy, on) }))
	}
	return errors.Join(errs...)
}

func (u *Guard) change(ctx context.Context, name string, o client.Object, change func()) error {
	if err := u.Live.Get(ctx, client.ObjectKey{Name: name}, o); err != nil {
		return client.IgnoreNotFound(err)
	}
	before := o.DeepCopyObject().(client.Object)
	change()
	if equality.Semantic.DeepEqual(before, o) {
		return nil
	}
	return client.IgnoreNotFound(u.Client.Patch(ctx, o, kube.Locked(before)))
}

// hold sets or takes off the finalizer. What is being deleted takes no new one.
func hold(o client.Object, on bool) {
	switch {
	case !on:
		controllerutil.RemoveFinalizer(o, Finalizer)
	case o.GetDeletionTimestamp() == nil:
		controllerutil.AddFinalizer(o, Finalizer)
	}
}
