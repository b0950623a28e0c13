package node

import (
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// SetupWithManager has a manager run the reconciler, with so many members at the same time: for members, for their VMs
// and instances, which have their names, and for what changes in Nomad.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, ofNomad source.Source, workers int) error {
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.NomadNode{}).
		Watches(&kubevirtv1.VirtualMachine{}, kube.SameName()).
		Watches(&kubevirtv1.VirtualMachineInstance{}, kube.SameName()).
		WatchesRawSource(ofNomad).WithOptions(kube.Options(workers)).Complete(r)
}
