package machine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// TemplateVersion is what matters of a VirtualMachineTemplateVersion
// (Harvester: pkg/apis/harvesterhci.io/v1beta1/template.go).
type TemplateVersion struct {
	// Name is the version's, as namespace/name.
	Name string
	// Template is the VirtualMachineTemplate that it belongs to, as namespace/name.
	Template string
	// KeyPairs are its SSH key pairs, as namespace/name.
	KeyPairs []string
	// Labels and Annotations are those of its VM over its own.
	Labels, Annotations map[string]string
	// Spec is its VM's spec, KubeVirt's VirtualMachineSpec, as JSON is decoded.
	Spec map[string]any
}

// TemplateCloudInit is the cloud-init of a Harvester template's version.
type TemplateCloudInit struct {
	UserData, NetworkData string
	// Problem says why it can't be used; nil: it can.
	Problem *Problem
}

// ReadTemplate reads the version that a template's source leads to: the one it names, or the default one of the template
// that it names. If it leads nowhere there is a Problem instead; an error means that the API server didn't answer.
func ReadTemplate(ctx context.Context, r client.Reader, from v1alpha1.TemplateSource) (*TemplateVersion, *Problem, error) {
	g := gatherer{ctx: ctx, reader: r}
	version, problem := g.templateVersion(from)
	return version, problem, g.err
}

func (g *gatherer) templateVersion(from v1alpha1.TemplateSource) (*TemplateVersion, *Problem) {
	if from.Kind == v1alpha1.KindTemplate {
		template := g.object(TemplateKind, from.Name)
		if template == nil {
			p := templateNotFound(from)
			return nil, &p
		}
		named := from
		from = v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion}
		from.Name, _, _ = unstructured.NestedString(template.Object, "spec", "defaultVersionId")
		if from.Name == "" {
			return nil, &Problem{v1alpha1.ReasonTemplateNotFound, fromField(named) +
				" has no default version; choose one in Harvester's UI (Advanced > Templates), or name a VirtualMachineTemplateVersion"}
		}
	}
	obj := g.object(TemplateVersionKind, from.Name)
	if obj == nil {
		p := templateNotFound(from)
		return nil, &p
	}
	version, err := versionOf(obj, from.Name)
	if err != nil {
		return nil, &Problem{v1alpha1.ReasonTemplateInvalid, fmt.Sprintf("%s: %v; name another", fromField(from), err)}
	}
	return version, nil
}

func versionOf(obj *unstructured.Unstructured, name string) (*TemplateVersion, error) {
	vm, _, _ := unstructured.NestedMap(obj.Object, "spec", "vm")
	labels, _, labelsErr := unstructured.NestedStringMap(vm, "metadata", "labels")
	annotations, _, annotationsErr := unstructured.NestedStringMap(vm, "metadata", "annotations")
	if err := errors.Join(labelsErr, annotationsErr); err != nil {
		return nil, errors.New("its spec.vm.metadata is not an object with labels and annotations")
	}
	keys, _, _ := unstructured.NestedStringSlice(obj.Object, "spec", "keyPairIds")
	template, _, _ := unstructured.NestedString(obj.Object, "spec", "templateId")
	spec, _ := vm["spec"].(map[string]any)
	return &TemplateVersion{Name: name, Template: template, KeyPairs: keys, Labels: over(obj.GetLabels(), labels), Annotations: over(obj.GetAnnotations(), annotations), Spec: spec}, nil
}

func over(all, upper map[string]string) map[string]string {
	if all == nil {
		return upper
	}
	maps.Copy(all, upper)
	return all
}

// typed is the version's VM in KubeVirt's type.
func (v *TemplateVersion) typed() (*kubevirtv1.VirtualMachineSpec, error) {
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

// templateCloudInit reads the cloud-init of a version, which isn't copied into the member's record: it may hold secrets.
// A version never changes, so it is the same whenever it is read.
func (g *gatherer) templateCloudInit(namespace string, from v1alpha1.TemplateSource) *TemplateCloudInit {
	version, problem := g.templateVersion(from)
	if problem != nil {
		return &TemplateCloudInit{Problem: problem}
	}
	if version == nil {
		return nil
	}
	spec, err := version.typed()
	if err != nil {
		return &TemplateCloudInit{Problem: &Problem{v1alpha1.ReasonTemplateInvalid, fmt.Sprintf("%s: %v; name another", fromField(from), err)}}
	}
	out := &TemplateCloudInit{}
	for _, volume := range spec.Template.Spec.Volumes {
		if source := cloudInitSource(volume); source != nil {
			out.UserData = g.cloudInitText(out, namespace, version, source.UserData, source.UserDataBase64, source.UserDataSecretRef, userDataKey, "userData")
			out.NetworkData = g.cloudInitText(out, namespace, version, source.NetworkData, source.NetworkDataBase64, source.NetworkDataSecretRef, networkDataKey, "networkData")
		}
	}
	return out
}

// cloudInitSource is where a volume has its cloud-init from; nil: it is another kind of volume.
func cloudInitSource(v kubevirtv1.Volume) *kubevirtv1.CloudInitNoCloudSource {
	if v.CloudInitConfigDrive != nil {
		return (*kubevirtv1.CloudInitNoCloudSource)(v.CloudInitConfigDrive)
	}
	return v.CloudInitNoCloud
}

// cloudInitText is one document: of a Secret, or inline. KubeVirt takes both keys.
func (g *gatherer) cloudInitText(out *TemplateCloudInit, namespace string, v *TemplateVersion, inline, encoded string, ref *corev1.LocalObjectReference, keys ...string) string {
	field := fromField(v.source())
	if ref == nil {
		if encoded == "" {
			return inline
		}
		text, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			out.Problem = &Problem{v1alpha1.ReasonTemplateInvalid, fmt.Sprintf("%s: its cloud-init: %v; correct it in a new version", field, err)}
		}
		return string(text)
	}
	home, _ := objectKey(v.Name)
	if home.Namespace != namespace && !g.shared(v, namespace) {
		out.Problem = &Problem{v1alpha1.ReasonTemplateInvalid, fmt.Sprintf(
			"%s: its cloud-init Secret is in namespace %q, and whoever makes pools in namespace %q might not be allowed to read it there; copy the template into the pool's namespace, "+
				"or have somebody who may share it say so (kubectl annotate virtualmachinetemplates.harvesterhci.io -n %s %s %s=%s)",
			field, home.Namespace, namespace, home.Namespace, withDefault(nameIn(v.Template), "TEMPLATE"), v1alpha1.ShareCloudInitAnnotation, namespace)}
		return ""
	}
	secret := &corev1.Secret{}
	if !g.get(client.ObjectKey{Namespace: home.Namespace, Name: ref.Name}, secret, "Secret") {
		out.Problem = &Problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("%s: its cloud-init Secret %q doesn't exist in namespace %q; make a new version", field, ref.Name, home.Namespace)}
		return ""
	}
	if home.Namespace != namespace && !belongsToTemplate(secret) {
		out.Problem = &Problem{v1alpha1.ReasonTemplateInvalid, fmt.Sprintf(
			"%s: its cloud-init Secret %q is in another namespace than the pool and isn't marked as a template's; make a new version in Harvester's UI, which marks it", field, ref.Name)}
		return ""
	}
	for _, key := range keys {
		if text, ok := secret.Data[key]; ok {
			return string(text)
		}
	}
	return ""
}

// shared says if the template of a version lets pools of a namespace have the cloud-init Secrets of its versions.
func (g *gatherer) shared(v *TemplateVersion, namespace string) bool {
	home, _ := objectKey(v.Name)
	if template, _ := objectKey(v.Template); template.Namespace != home.Namespace {
		return false
	}
	template := g.object(TemplateKind, v.Template)
	if template == nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(template.GetAnnotations()[v1alpha1.ShareCloudInitAnnotation], ","), func(name string) bool {
		name = strings.TrimSpace(name)
		return name == "*" || name == namespace
	})
}

// nameIn is the name in a reference of the form namespace/name.
func nameIn(ref string) string {
	_, name, _ := strings.Cut(ref, "/")
	return name
}

// belongsToTemplate says if a Secret was made for a template: by Harvester's UI, which labels it, or by "Generate
// template", whose Secrets the version owns. Others stay where they are: who may make a pool here might not be allowed to
// read them there.
func belongsToTemplate(s *corev1.Secret) bool {
	return s.Labels[cloudInitLabel] != "" || slices.ContainsFunc(s.OwnerReferences, func(o metav1.OwnerReference) bool {
		return o.Kind == v1alpha1.KindTemplateVersion
	})
}

// check says if the user data can be merged.
func (c *TemplateCloudInit) check(install *v1alpha1.NomadInstall) error {
	config, err := parseUserData(c.UserData)
	if err != nil {
		return err
	}
	if err := checkOwned(config, install); err != nil {
		return err
	}
	if _, err := mergeCloudConfig(config, yamlNode(everyKey)); err != nil {
		return err
	}
	_, err = parseYAMLMapping(c.NetworkData)
	return err
}

func (v *TemplateVersion) source() v1alpha1.TemplateSource {
	return v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: v.Name}
}

// fromField begins the messages about a Harvester template.
func fromField(from v1alpha1.TemplateSource) string {
	return fmt.Sprintf("spec.template.from.name: %s %q", from.Kind, from.Name)
}

func templateNotFound(from v1alpha1.TemplateSource) Problem {
	resource := "virtualmachinetemplates"
	if from.Kind == v1alpha1.KindTemplateVersion {
		resource = "virtualmachinetemplateversions"
	}
	return Problem{v1alpha1.ReasonTemplateNotFound, fmt.Sprintf("%s doesn't exist; create it or name another, as namespace/name (kubectl get %s.harvesterhci.io -A)", fromField(from), resource)}
}
