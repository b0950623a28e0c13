package controllers

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
)

// inUseFinalizer keeps the admission policies in force while there are members: `kubectl delete -k` deletes them as well, and nothing
// can refuse that (Kubernetes exempts admission policies from admission policies).
const inUseFinalizer = "nomad.harvesterhci.io/in-use"

// uninstallPolicy is the name of the policy that refuses to have the installation removed, and of its binding.
const uninstallPolicy = "nomad-harvester-uninstall"

// guardedPolicies are the names of the policies, and of their bindings, that stay while there are members.
var guardedPolicies = []string{uninstallPolicy, "nomad-harvester-member-delete"}

// selectsNothing matches no object. It is what the binding is given while there is nothing to guard. The manifests leave the field out, so that
// whoever applies them again changes nothing; and without a controller the installation is guarded.
var selectsNothing = &admissionv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"nomad.harvesterhci.io/in-use": "nothing"}}}

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=nomad-harvester-uninstall;nomad-harvester-member-delete,verbs=get;patch

// inUse keeps an installation from being taken away under its members: without the controller, its roles or its kinds nobody
// drains them, and their records can't go.
type inUse struct {
	client client.Client
	// live reads past the cache, which would otherwise watch every admission policy there is.
	live client.Reader
	// guarded is what was last written; nil: nothing yet.
	guarded *bool
}

func (u *inUse) setup(mgr ctrl.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request { return []ctrl.Request{{}} })
	// What an earlier process has left is looked at even if there is nothing else to look at.
	once := source.Func(func(_ context.Context, q queue) error { q.Add(ctrl.Request{}); return nil })
	return ctrl.NewControllerManagedBy(mgr).Named("in-use").
		Watches(&v1alpha1.NomadNodePool{}, one).Watches(&v1alpha1.NomadNode{}, one).WatchesRawSource(once).
		WithOptions(options(1)).Complete(reconcile.Func(u.reconcile))
}

func (u *inUse) reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
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
func (u *inUse) used(ctx context.Context) (bool, error) {
	var nodes v1alpha1.NomadNodeList
	if err := u.client.List(ctx, &nodes, client.Limit(1)); err != nil || len(nodes.Items) > 0 {
		return err == nil, err
	}
	var pools v1alpha1.NomadNodePoolList
	err := u.client.List(ctx, &pools, client.Limit(1))
	return len(pools.Items) > 0, err
}

// guard arms or disarms what there is of the policies and bindings: an installation may do without them.
func (u *inUse) guard(ctx context.Context, on bool) error {
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

func (u *inUse) change(ctx context.Context, name string, o client.Object, change func()) error {
	if err := u.live.Get(ctx, client.ObjectKey{Name: name}, o); err != nil {
		return client.IgnoreNotFound(err)
	}
	before := o.DeepCopyObject().(client.Object)
	change()
	if equality.Semantic.DeepEqual(before, o) {
		return nil
	}
	return client.IgnoreNotFound(u.client.Patch(ctx, o, locked(before)))
}

// hold sets or takes off the finalizer. What is being deleted takes no new one.
func hold(o client.Object, on bool) {
	switch {
	case !on:
		controllerutil.RemoveFinalizer(o, inUseFinalizer)
	case o.GetDeletionTimestamp() == nil:
		controllerutil.AddFinalizer(o, inUseFinalizer)
	}
}
