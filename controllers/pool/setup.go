package pool

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// workers is how many pools are reconciled at the same time.
const workers = 4

// SetupWithManager has a manager run the reconciler for pools. Changes of their members and in Nomad wake it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, ofNomad source.Source) error {
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.NomadNodePool{}).
		Watches(&v1alpha1.NomadNode{}, handler.EnqueueRequestsFromMapFunc(ownerOf)).WatchesRawSource(ofNomad).
		WithOptions(kube.Options(workers)).Complete(r)
}

// ownerOf is the pool that owns a member. controller-runtime's own handler of owners asks which resource their kind is,
// for each member again.
func ownerOf(_ context.Context, n client.Object) []reconcile.Request {
	o := metav1.GetControllerOfNoCopy(n)
	if o == nil || o.Kind != "NomadNodePool" || !ofGroup(o.APIVersion) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: n.GetNamespace(), Name: o.Name}}}
}

// ofGroup is true for the API's group, in whatever version.
func ofGroup(apiVersion string) bool {
	version, err := schema.ParseGroupVersion(apiVersion)
	return err == nil && version.Group == v1alpha1.GroupVersion.Group
}
