package pool

import (
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// workers is how many pools are reconciled at the same time.
const workers = 4

// SetupWithManager has a manager run the reconciler for pools. Changes of their members and in Nomad wake it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, ofNomad source.Source) error {
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.NomadNodePool{}).Owns(&v1alpha1.NomadNode{}).
		WatchesRawSource(ofNomad).WithOptions(kube.Options(workers)).Complete(r)
}
