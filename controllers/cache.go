package controllers

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// CacheOptions limits the cache to what the controllers watch and read: of the cluster's virtual machines only those of
// pools, of these, pools and members no more than is used, and to some namespaces, if there are any.
func CacheOptions(namespaces []string) cache.Options {
	ofPools, err := labels.NewRequirement(v1alpha1.PoolLabel, selection.Exists, nil)
	utilruntime.Must(err)
	marked := labels.NewSelector().Add(*ofPools)
	var in map[string]cache.Config
	for _, name := range namespaces {
		if in == nil {
			in = map[string]cache.Config{}
		}
		in[name] = cache.Config{}
	}
	t := &trimmer{}
	return cache.Options{DefaultNamespaces: in, DefaultTransform: t.trim, NewInformer: t.newInformer,
		ByObject: map[client.Object]cache.ByObject{
			&kubevirtv1.VirtualMachine{}:         {Label: marked},
			&kubevirtv1.VirtualMachineInstance{}: {Label: marked},
		}}
}

// trimmer leaves of cached objects what the controllers use.
type trimmer struct{ shared shared }

func (t *trimmer) trim(cached any) (any, error) {
	switch o := cached.(type) {
	case *v1alpha1.NomadNodePool:
		trimPool(o)
	case *v1alpha1.NomadNode:
		trimMember(o)
		t.shared.meta(&o.TypeMeta, &o.ObjectMeta)
		t.shared.member(o)
	case *kubevirtv1.VirtualMachine:
		trimVM(o)
		t.shared.meta(&o.TypeMeta, &o.ObjectMeta)
	case *kubevirtv1.VirtualMachineInstance:
		trimInstance(o)
		t.shared.meta(&o.TypeMeta, &o.ObjectMeta)
		t.shared.textsOf(&o.Status.NodeName)
	}
	return cached, nil
}

// trimVM drops what nobody reads of a cached VM: with thousands of members their VMs' specs would be most of the
// controller's memory. What is written to VMs are patches of single keys, so that nothing is lost.
func trimVM(vm *kubevirtv1.VirtualMachine) {
	vm.ManagedFields = nil
	dropOtherKeys(&vm.ObjectMeta)
	vm.Spec = kubevirtv1.VirtualMachineSpec{RunStrategy: vm.Spec.RunStrategy}
	vm.Status = kubevirtv1.VirtualMachineStatus{PrintableStatus: vm.Status.PrintableStatus,
		Conditions: only(vm.Status.Conditions, nodestate.VMFails)}
}

// trimInstance does the same to a VM's instance, to which nothing is written.
func trimInstance(vmi *kubevirtv1.VirtualMachineInstance) {
	vmi.ManagedFields, vmi.Annotations, vmi.Finalizers = nil, nil, nil
	dropOtherKeys(&vmi.ObjectMeta)
	vmi.Spec = kubevirtv1.VirtualMachineInstanceSpec{EvictionStrategy: vmi.Spec.EvictionStrategy}
	was := vmi.Status
	vmi.Status = kubevirtv1.VirtualMachineInstanceStatus{Phase: was.Phase, NodeName: was.NodeName,
		EvacuationNodeName: was.EvacuationNodeName, Conditions: only(was.Conditions, nodestate.Unschedulable)}
	if address := node.AddressOf(was.Interfaces); address != "" {
		vmi.Status.Interfaces = []kubevirtv1.VirtualMachineInstanceNetworkInterface{{IP: address}}
	}
}

// only are those of a list that are wanted, without the room that it had for others.
func only[T any](all []T, wanted func(T) bool) []T {
	var out []T
	for _, one := range all {
		if wanted(one) {
			out = append(out, one)
		}
	}
	return out
}
