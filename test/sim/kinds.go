package sim

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// The kinds that the simulated API server holds.
const (
	kindPool     = "NomadNodePool"
	kindNode     = "NomadNode"
	kindVM       = "VirtualMachine"
	kindInstance = "VirtualMachineInstance"
	kindSecret   = "Secret"
	kindClaim    = "PersistentVolumeClaim"
)

// kindOf is the kind of an object, or of the objects of a list.
func kindOf(o runtime.Object) string {
	switch o := o.(type) {
	case *v1alpha1.NomadNodePool, *v1alpha1.NomadNodePoolList:
		return kindPool
	case *v1alpha1.NomadNode, *v1alpha1.NomadNodeList:
		return kindNode
	case *kubevirtv1.VirtualMachine, *kubevirtv1.VirtualMachineList:
		return kindVM
	case *kubevirtv1.VirtualMachineInstance:
		return kindInstance
	case *corev1.Secret:
		return kindSecret
	case *corev1.PersistentVolumeClaim:
		return kindClaim
	case *corev1.Node, *corev1.NodeList:
		return "Node"
	case *storagev1.StorageClass:
		return "StorageClass"
	case *unstructured.Unstructured, *unstructured.UnstructuredList, *metav1.PartialObjectMetadata,
		*metav1.PartialObjectMetadataList:
		return strings.TrimSuffix(o.GetObjectKind().GroupVersionKind().Kind, "List")
	default:
		return reflect.TypeOf(o).String()
	}
}

// hasStatus reports whether the status of a kind is a subresource.
func hasStatus(kind string) bool { return kind == kindPool || kind == kindNode || kind == kindVM }

func resourceOf(kind string) schema.GroupResource {
	return schema.GroupResource{Group: groups[kind], Resource: strings.ToLower(kind) + "s"}
}

var groups = map[string]string{
	kindPool: v1alpha1.GroupVersion.Group, kindNode: v1alpha1.GroupVersion.Group, kindVM: "kubevirt.io",
	kindInstance: "kubevirt.io",
}

// copyInto fills dst with a copy of src.
func copyInto(dst, src client.Object) {
	if partial, ok := dst.(*metav1.PartialObjectMetadata); ok {
		metaOf(src).DeepCopyInto(&partial.ObjectMeta)
		return
	}
	if u, ok := dst.(*unstructured.Unstructured); ok && reflect.TypeOf(src) != reflect.TypeOf(dst) {
		u.Object, _ = runtime.DefaultUnstructuredConverter.ToUnstructured(src) // our own objects can be converted
		return
	}
	reflect.ValueOf(dst).Elem().Set(reflect.ValueOf(src.DeepCopyObject()).Elem())
}

// clone is a deep copy of the same type.
func clone[T client.Object](o T) T { return o.DeepCopyObject().(T) }
