package machine

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

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
			field, home.Namespace, namespace, home.Namespace, cmp.Or(nameIn(v.Template), "TEMPLATE"), v1alpha1.ShareCloudInitAnnotation, namespace)}
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
