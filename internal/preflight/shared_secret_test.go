package preflight

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// secretless is the reader of a controller that may not read Secrets of one namespace.
type secretless struct {
	client.Reader
	namespace string
}

func (r secretless) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, secret := o.(*corev1.Secret); secret && key.Namespace == r.namespace {
		return apierrors.NewForbidden(corev1.Resource("secrets"), key.Name, nil)
	}
	return r.Reader.Get(ctx, key, o, opts...)
}

// A controller for some namespaces can't read a shared template's cloud-init in others. That is the pool's problem to
// report; in the pool's own namespace it is a fault of the installation, which is tried again.
func TestSharedCloudInitThatTheControllerMayNotRead(t *testing.T) {
	template := unstructuredObject(TemplateKind, "shared/build", map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{v1alpha1.ShareCloudInitAnnotation: "*"}}})
	version := unstructuredObject(TemplateVersionKind, "shared/build-1", map[string]any{"spec": map[string]any{
		"templateId": "shared/build", "vm": map[string]any{"spec": map[string]any{"template": map[string]any{
			"spec": map[string]any{"domain": map[string]any{"devices": map[string]any{}}, "volumes": []any{map[string]any{
				"name":             "cloudinitdisk",
				"cloudInitNoCloud": map[string]any{"secretRef": map[string]any{"name": "build-secret"}},
			}}},
		}}}}})
	spec := &v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion,
		Name: "shared/build-1"}}
	r := secretless{reader(t, template, version), "shared"}
	facts, err := Gather(t.Context(), r, "prod", spec, &v1alpha1.NomadClient{})
	if err != nil || facts.From == nil || facts.From.Problem == nil {
		t.Fatalf("got %+v: %v", facts.From, err)
	}
	for _, part := range []string{`Secret "build-secret" in namespace "shared"`, "may not read", "docs/install.md"} {
		if p := facts.From.Problem; p.Reason != v1alpha1.ReasonTemplateInvalid || !strings.Contains(p.Message, part) {
			t.Errorf("it lacks %q: %+v", part, p)
		}
	}
	if _, err := Gather(t.Context(), r, "shared", spec, &v1alpha1.NomadClient{}); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
}
