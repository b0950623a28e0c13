package harvestertemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Version is what matters of a VirtualMachineTemplateVersion
// (Harvester: pkg/apis/harvesterhci.io/v1beta1/template.go).
type Version struct {
	// Name is the version's, as namespace/name.
	Name string
	// Template is the VirtualMachineTemplate that it belongs to, as namespace/name.
	Template string
	// KeyPairs are its SSH key pairs, as namespace/name.
	KeyPairs []string
	// Labels and Annotations are the version's, overridden by those of its VM.
	Labels, Annotations map[string]string
	// Spec is its VM's spec, KubeVirt's VirtualMachineSpec, as JSON is decoded.
	Spec map[string]any
}

// VersionOf reads a VirtualMachineTemplateVersion. Its name is namespace/name.
func VersionOf(obj *unstructured.Unstructured, name string) (*Version, error) {
	vm, _, _ := unstructured.NestedMap(obj.Object, "spec", "vm")
	labels, _, labelsErr := unstructured.NestedStringMap(vm, "metadata", "labels")
	annotations, _, annotationsErr := unstructured.NestedStringMap(vm, "metadata", "annotations")
	if err := errors.Join(labelsErr, annotationsErr); err != nil {
		return nil, errors.New("its spec.vm.metadata is not an object with labels and annotations")
	}
	keys, _, _ := unstructured.NestedStringSlice(obj.Object, "spec", "keyPairIds")
	template, _, _ := unstructured.NestedString(obj.Object, "spec", "templateId")
	spec, _ := vm["spec"].(map[string]any)
	return &Version{Name: name, Template: template, KeyPairs: keys, Labels: over(obj.GetLabels(), labels),
		Annotations: over(obj.GetAnnotations(), annotations), Spec: spec}, nil
}

func over(all, upper map[string]string) map[string]string {
	if all == nil {
		return upper
	}
	maps.Copy(all, upper)
	return all
}

// Typed is the version's VM in KubeVirt's type.
func (v *Version) Typed() (*kubevirtv1.VirtualMachineSpec, error) {
	doc, err := json.Marshal(v.Spec)
	if err != nil {
		return nil, fmt.Errorf("its spec.vm.spec: %w", err)
	}
	spec := &kubevirtv1.VirtualMachineSpec{}
	if err := json.Unmarshal(doc, spec); err != nil {
		return nil, fmt.Errorf("its spec.vm.spec is not a KubeVirt VirtualMachineSpec: %w", err)
	}
	if spec.Template == nil {
		spec.Template = &kubevirtv1.VirtualMachineInstanceTemplateSpec{}
	}
	return spec, nil
}

// CloudInitSource is the source of a cloud-init volume; nil: it is another kind of volume.
func CloudInitSource(v kubevirtv1.Volume) *kubevirtv1.CloudInitNoCloudSource {
	if v.CloudInitConfigDrive != nil {
		return (*kubevirtv1.CloudInitNoCloudSource)(v.CloudInitConfigDrive)
	}
	return v.CloudInitNoCloud
}

// Source is a reference to this version.
func (v *Version) Source() v1alpha1.TemplateSource {
	return v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: v.Name}
}

// Field begins the messages about a Harvester template.
func Field(from v1alpha1.TemplateSource) string {
	return fmt.Sprintf("spec.template.from.name: %s %q", from.Kind, from.Name)
}

// NotFound is the problem with a reference to an object that doesn't exist.
func NotFound(from v1alpha1.TemplateSource) condition.Problem {
	resource := "virtualmachinetemplates"
	if from.Kind == v1alpha1.KindTemplateVersion {
		resource = "virtualmachinetemplateversions"
	}
	return condition.Problem{
		Reason: v1alpha1.ReasonTemplateNotFound,
		Message: fmt.Sprintf(
			"%s doesn't exist; create it or name another, as namespace/name (kubectl get %s.harvesterhci.io -A)", Field(from),
			resource),
	}
}
