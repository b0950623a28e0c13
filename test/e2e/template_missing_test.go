package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// The cloud-init Secret of a template in another namespace is read only if the template says that it may.
func TestBlockedByATemplateThatIsNotShared(t *testing.T) {
	t.Parallel()
	template := decode(t, unsharedTemplate)[0]
	version := &unstructured.Unstructured{}
	version.SetGroupVersionKind(preflight.TemplateVersionKind)
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "worker-1"}, version); err != nil {
		t.Fatal(err)
	}
	version.Object["metadata"] = map[string]any{"namespace": "default", "name": "unshared-1"}
	if err := errors.Join(unstructured.SetNestedField(version.Object, "default/unshared", "spec", "templateId"),
		kube.Create(t.Context(), w.Client, template)); err != nil {
		t.Fatal(err)
	}
	// Harvester's admission must have seen the template first.
	err := process.WaitFor(t.Context(), poll, "a version of the template",
		func(ctx context.Context) error { return w.Client.Create(ctx, version) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Client.Delete(context.Background(), version) })
	create(t, newPool("unshared", 1, fromHarvester(v1alpha1.KindTemplate, "default/unshared")))
	eventually(t, "unshared", "the pool to say so", 30*time.Second, reports(
		v1alpha1.PoolTemplateValid,
		v1alpha1.ReasonTemplateInvalid,
		`its cloud-init Secret is in namespace "default"`,
		"kubectl annotate virtualmachinetemplates.harvesterhci.io -n default unshared "+
			v1alpha1.ShareCloudInitAnnotation+"="+fixtures.Namespace,
	))
	nothingMade(t, "unshared")
	share := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ShareCloudInitAnnotation,
		fixtures.Namespace)
	if err := w.Client.Patch(t.Context(), template, client.RawPatch(types.MergePatchType, share)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "unshared", "the pool to settle", 2*time.Minute, allReady(1))
}

const unsharedTemplate = `
apiVersion: harvesterhci.io/v1beta1
kind: VirtualMachineTemplate
metadata: {name: unshared, namespace: default}
spec: {defaultVersionId: default/unshared-1}
`

const lateTemplate = `
apiVersion: harvesterhci.io/v1beta1
kind: VirtualMachineTemplate
metadata: {name: late, namespace: default}
spec: {defaultVersionId: ` + fixtures.TemplateVersion + `}
`

// A Harvester template that doesn't exist is reported, and the pool heals when it appears. What it lacks can be set
// beside it.
func TestMissingHarvesterTemplate(t *testing.T) {
	t.Parallel()
	missing := decode(t, lateTemplate)
	create(t,
		newPool("no-template", 1, fromHarvester(v1alpha1.KindTemplate, "default/late"), func(p *v1alpha1.NomadNodePool) {
			p.Spec.Template.CPU = 5
		}))
	reported := reports(v1alpha1.PoolTemplateValid, v1alpha1.ReasonTemplateNotFound,
		"spec.template.from.name", `VirtualMachineTemplate "default/late" doesn't exist`, "create it or name another")
	eventually(t, "no-template", "the mistake to be told", 30*time.Second, reported)
	nothingMade(t, "no-template")
	if err := kube.Create(t.Context(), w.Client, missing...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no-template", "the pool to heal", 2*time.Minute, both(allReady(1), from(fixtures.TemplateVersion, 5)))

	// Once it has members, the loss of its template takes none of them, and makes none outdated.
	if err := w.Client.Delete(t.Context(), missing[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no-template", "the loss to be told", 2*time.Minute, reported)
	stays(t, "no-template", "the member stays", 3*time.Second, both(from(fixtures.TemplateVersion, 5), requested("", 1)))
}
