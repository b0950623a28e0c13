package preflight

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate"
)

// ReadTemplate reads the version to which a template's source refers: the one that it names, or the default version of
// the template that it names. If that doesn't exist there is a Problem instead; an error means that the API server
// didn't answer.
func ReadTemplate(ctx context.Context, r client.Reader,
	from v1alpha1.TemplateSource) (*harvestertemplate.Version, *condition.Problem, error) {
	g := gatherer{ctx: ctx, reader: r}
	version, problem := g.templateVersion(from)
	return version, problem, g.err
}

func (g *gatherer) templateVersion(from v1alpha1.TemplateSource) (*harvestertemplate.Version, *condition.Problem) {
	if from.Kind == v1alpha1.KindTemplate {
		template := g.object(TemplateKind, from.Name)
		if template == nil {
			p := harvestertemplate.NotFound(from)
			return nil, &p
		}
		named := from
		from = v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion}
		from.Name, _, _ = unstructured.NestedString(template.Object, "spec", "defaultVersionId")
		if from.Name == "" {
			return nil, &condition.Problem{Reason: v1alpha1.ReasonTemplateNotFound, Message: harvestertemplate.Field(named) +
				" has no default version; choose one in Harvester's UI (Advanced > Templates), or name a VirtualMachineTemplateVersion"}
		}
		if home, _, _ := strings.Cut(named.Name, "/"); !strings.HasPrefix(from.Name, home+"/") {
			// Harvester's UI makes none such, and whoever may write the template may not read everything that it can name.
			return nil, &condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid, Message: fmt.Sprintf(
				"%s has a default version of another namespace, %q; name that VirtualMachineTemplateVersion itself",
				harvestertemplate.Field(named), from.Name)}
		}
	}
	obj := g.object(TemplateVersionKind, from.Name)
	if obj == nil {
		p := harvestertemplate.NotFound(from)
		return nil, &p
	}
	version, err := harvestertemplate.VersionOf(obj, from.Name)
	if err != nil {
		return nil, &condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid,
			Message: fmt.Sprintf("%s: %v; name another", harvestertemplate.Field(from), err)}
	}
	return version, nil
}

// templateCloudInit reads the cloud-init of a version, which isn't copied into the NomadNode because it may hold
// secrets. A version never changes, so it is the same whenever it is read.
func (g *gatherer) templateCloudInit(namespace string, from v1alpha1.TemplateSource) *blueprint.TemplateCloudInit {
	version, problem := g.templateVersion(from)
	if problem != nil {
		return &blueprint.TemplateCloudInit{Problem: problem}
	}
	if version == nil {
		return nil
	}
	spec, err := version.Typed()
	if err != nil {
		return &blueprint.TemplateCloudInit{
			Problem: &condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid,
				Message: fmt.Sprintf("%s: %v; name another", harvestertemplate.Field(from), err)},
		}
	}
	out := &blueprint.TemplateCloudInit{}
	for _, volume := range spec.Template.Spec.Volumes {
		if source := harvestertemplate.CloudInitSource(volume); source != nil {
			out.UserData = g.cloudInitText(out, namespace, version, source.UserData, source.UserDataBase64,
				source.UserDataSecretRef, cloudinit.UserDataKey, "userData")
			out.NetworkData = g.cloudInitText(out, namespace, version, source.NetworkData, source.NetworkDataBase64,
				source.NetworkDataSecretRef, cloudinit.NetworkDataKey, "networkData")
		}
	}
	return out
}

// cloudInitText is one document, inline or from a Secret under one of the keys, of which KubeVirt takes either.
func (g *gatherer) cloudInitText(out *blueprint.TemplateCloudInit, namespace string, v *harvestertemplate.Version,
	inline, encoded string, ref *corev1.LocalObjectReference, keys ...string) string {
	field := harvestertemplate.Field(v.Source())
	if ref == nil {
		if encoded == "" {
			return inline
		}
		text, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			out.Problem = &condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid,
				Message: fmt.Sprintf("%s: its cloud-init: %v; correct it in a new version", field, err)}
		}
		return string(text)
	}
	home, _ := objectKey(v.Name)
	if home.Namespace != namespace && !g.shared(v, namespace) {
		out.Problem = &condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid, Message: fmt.Sprintf(
			"%s: its cloud-init Secret is in namespace %q, and whoever makes pools in namespace %q might not be allowed to read it there; copy the template into the pool's namespace, "+
				"or have somebody who may share it say so (kubectl annotate virtualmachinetemplates.harvesterhci.io -n %s %s %s=%s)",
			field,
			home.Namespace,
			namespace,
			home.Namespace,
			cmp.Or(nameIn(v.Template), "TEMPLATE"),
			v1alpha1.ShareCloudInitAnnotation,
			namespace,
		)}
		return ""
	}
	secret := &corev1.Secret{}
	found := g.get(client.ObjectKey{Namespace: home.Namespace, Name: ref.Name}, secret, "Secret")
	if home.Namespace != namespace && apierrors.IsForbidden(g.err) { // of a controller for some namespaces
		g.err = nil
		out.Problem = &condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid, Message: fmt.Sprintf(
			"%s: the controller may not read its cloud-init Secret %q in namespace %q; copy the template into the pool's namespace, or let the controller get that Secret (docs/install.md, For some namespaces only)",
			field, ref.Name, home.Namespace)}
		return ""
	}
	if !found {
		out.Problem = &condition.Problem{
			Reason: v1alpha1.ReasonSecretNotFound,
			Message: fmt.Sprintf("%s: its cloud-init Secret %q doesn't exist in namespace %q; make a new version", field,
				ref.Name, home.Namespace),
		}
		return ""
	}
	if home.Namespace != namespace && !belongsToTemplate(secret) {
		out.Problem = &condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid, Message: fmt.Sprintf(
			"%s: its cloud-init Secret %q is in another namespace than the pool and isn't marked as a template's; make a new version in Harvester's UI, which marks it",
			field, ref.Name)}
		return ""
	}
	for _, key := range keys {
		if text, ok := secret.Data[key]; ok {
			return string(text)
		}
	}
	return ""
}

// shared reports if the template of a version lets pools of a namespace use the cloud-init Secrets of its versions.
func (g *gatherer) shared(v *harvestertemplate.Version, namespace string) bool {
	home, _ := objectKey(v.Name)
	if template, _ := objectKey(v.Template); template.Namespace != home.Namespace {
		return false
	}
	template := g.object(TemplateKind, v.Template)
	if template == nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(template.GetAnnotations()[v1alpha1.ShareCloudInitAnnotation], ","),
		func(name string) bool {
			name = strings.TrimSpace(name)
			return name == "*" || name == namespace
		})
}

// nameIn is the name in a reference of the form namespace/name.
func nameIn(ref string) string {
	_, name, _ := strings.Cut(ref, "/")
	return name
}

// belongsToTemplate reports if a Secret was made for a template: by Harvester's UI, which labels it, or by "Generate
// template", whose Secrets the version owns. Other Secrets aren't read: who may make a pool here might not be allowed
// to read them there.
func belongsToTemplate(s *corev1.Secret) bool {
	return s.Labels[cloudinit.SecretLabel] != "" ||
		slices.ContainsFunc(s.OwnerReferences, func(o metav1.OwnerReference) bool {
			return o.Kind == v1alpha1.KindTemplateVersion
		})
}
