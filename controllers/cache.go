package controllers

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// CacheOptions limits the cache to what the controllers watch and read: of the cluster's virtual machines only those of
// pools, of these, pools and members no more than is used, and to some namespaces, if there are any.
func CacheOptions(namespaces []string) cache.Options {
	ofPools, err := labels.NewRequirement(v1alpha1.PoolLabel, selection.Exists, nil)
	utilruntime.Must(err)
	only := labels.NewSelector().Add(*ofPools)
	var in map[string]cache.Config
	for _, name := range namespaces {
		if in == nil {
			in = map[string]cache.Config{}
		}
		in[name] = cache.Config{}
	}
	return cache.Options{DefaultNamespaces: in, ByObject: map[client.Object]cache.ByObject{
		&v1alpha1.NomadNodePool{}:            {Transform: ofUsed},
		&v1alpha1.NomadNode{}:                {Transform: ofUsed},
		&kubevirtv1.VirtualMachine{}:         {Label: only, Transform: trimVM},
		&kubevirtv1.VirtualMachineInstance{}: {Label: only, Transform: trimInstance},
	}}
}

// trimVM drops what nobody reads of a cached VM: with thousands of members their VMs' specs would be most of the
// controller's memory. What is written to VMs are patches of single keys, so that nothing is lost.
func trimVM(o any) (any, error) {
	vm, ok := o.(*kubevirtv1.VirtualMachine)
	if !ok {
		return o, nil
	}
	vm.ManagedFields = nil
	dropOtherKeys(&vm.ObjectMeta)
	vm.Spec = kubevirtv1.VirtualMachineSpec{RunStrategy: vm.Spec.RunStrategy}
	vm.Status = kubevirtv1.VirtualMachineStatus{PrintableStatus: vm.Status.PrintableStatus,
		Conditions: vm.Status.Conditions}
	return vm, nil
}

// trimInstance does the same to a VM's instance, to which nothing is written.
func trimInstance(o any) (any, error) {
	vmi, ok := o.(*kubevirtv1.VirtualMachineInstance)
	if !ok {
		return o, nil
	}
	vmi.ManagedFields = nil
	dropOtherKeys(&vmi.ObjectMeta)
	vmi.Spec = kubevirtv1.VirtualMachineInstanceSpec{EvictionStrategy: vmi.Spec.EvictionStrategy}
	vmi.Status = kubevirtv1.VirtualMachineInstanceStatus{Phase: vmi.Status.Phase, NodeName: vmi.Status.NodeName,
		EvacuationNodeName: vmi.Status.EvacuationNodeName, Conditions: vmi.Status.Conditions,
		Interfaces: vmi.Status.Interfaces}
	return vmi, nil
}
