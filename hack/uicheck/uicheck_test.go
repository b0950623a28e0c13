package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
	"github.com/nomad-harvester/nomad-harvester/test/templates"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// member is a member's VM as admission leaves it, and all that it refers to.
func member(t *testing.T) (*kubevirtv1.VirtualMachine, []client.Object) {
	t.Helper()
	m := blueprint.Member{
		Namespace: fixtures.Namespace, Name: "batch-7f3k9", PoolName: "batch", PoolUID: "6a1f7a55", NodeID: "6f1c02d4-8a55", Revision: "v1-1", Template: templates.Plain(),
	}
	r, err := render.Member(m, blueprint.Facts{
		Images: map[string]blueprint.Image{
			fixtures.Image: {StorageClassName: fixtures.ImageStorageClass, VirtualSize: 10 << 30}},
		StorageClasses: map[string]blueprint.StorageClass{fixtures.ImageStorageClass: {Shareable: true}},
		Networks:       map[string]blueprint.Network{fixtures.Network: {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	domain := &r.VM.Spec.Template.Spec.Domain
	domain.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("125m")}
	domain.Memory = &kubevirtv1.Memory{Guest: ptr.To(resource.MustParse("1948Mi"))}
	present, err := fixtures.Objects()
	if err != nil {
		t.Fatal(err)
	}
	objects := []client.Object{
		r.Secret,
		&v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: m.Namespace, Name: m.PoolName, UID: "6a1f7a55"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.Namespace}},
	}
	for _, o := range present {
		if kind := o.GetKind(); kind == "VirtualMachineImage" || kind == "StorageClass" {
			objects = append(objects, o)
		}
	}
	return r.VM, objects
}

// looked is what is printed of a VM.
func looked(t *testing.T, objects ...client.Object) (string, error) {
	t.Helper()
	scheme, err := kinds()
	if err != nil {
		t.Fatal(err)
	}
	scheme.AddKnownTypeWithName(preflight.ImageKind, &unstructured.Unstructured{})
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	key := client.ObjectKey{Namespace: fixtures.Namespace, Name: "batch-7f3k9"}
	subject, err := read(t.Context(), c, key)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = report(&out, key, checklist.Check(subject))
	return out.String(), err
}

func TestMemberPasses(t *testing.T) {
	vm, others := member(t)
	out, err := looked(t, append(others, vm)...)
	if err != nil || strings.Contains(out, "✗") || !strings.HasPrefix(out, "✓  1 metadata.ownerReferences") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is missing is told, row by row, and ends nothing.
func TestWhatIsMissingIsToldByRow(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(vm *kubevirtv1.VirtualMachine, others []client.Object) []client.Object
		wants []string
	}{
		"no pool label": {func(vm *kubevirtv1.VirtualMachine, others []client.Object) []client.Object {
			delete(vm.Labels, v1alpha1.PoolLabel)
			return others
		}, []string{"our labels are on the template as well: no label", "annotations member and pool-uid"}},
		"nothing but the VM": {func(*kubevirtv1.VirtualMachine, []client.Object) []client.Object { return nil }, []string{
			"its Secret: as old as the VM, marked for the UI, userdata a #cloud-config, networkdata: missing", "claims' storage class", "annotations member and pool-uid",
		}},
		"a VM without labels, annotations and template": {func(vm *kubevirtv1.VirtualMachine, others []client.Object) []client.Object {
			vm.Labels, vm.Annotations, vm.Spec.Template = nil, nil, nil
			return others
		}, []string{"there is no VM, or it has no spec.template"}},
		"a namespace of the system's": {func(_ *kubevirtv1.VirtualMachine, others []client.Object) []client.Object {
			others[2].SetAnnotations(map[string]string{"management.cattle.io/system-namespace": "true"})
			return others
		}, []string{"metadata.namespace: one that the UI shows"}},
	} {
		t.Run(name, func(t *testing.T) {
			vm, others := member(t)
			out, err := looked(t, append(c.spoil(vm, others), vm)...)
			if !errors.Is(err, errWrong) {
				t.Errorf("%v\n%s", err, out)
			}
			for _, want := range c.wants {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
	if _, err := looked(t); err == nil || !strings.Contains(err.Error(), "reading the VM nomad-clients/batch-7f3k9") {
		t.Errorf("without a VM: %v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"a", "b"}, {"--vm"}} {
		if err := run(t.Context(), os.Stdout, args); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, help := range []string{"-h", "-help", "--help"} {
		var out strings.Builder
		if err := run(t.Context(), &out, []string{help}); err != nil || !strings.HasPrefix(out.String(), "usage") {
			t.Errorf("%s: %v, %q", help, err, out.String())
		}
	}
}

// A VM that somebody stopped is told in words.
func TestStoppedVM(t *testing.T) {
	vm, others := member(t)
	vm.Spec.RunStrategy = ptr.To(kubevirtv1.RunStrategyHalted)
	out, err := looked(t, append(others, vm)...)
	if !errors.Is(err, errWrong) || !strings.Contains(out, "spec.running: unset: running unset, runStrategy Halted") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTestenvKubeconfig(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := testenvKubeconfig(); got != "" {
		t.Errorf("without a test environment: %q", got)
	}
	if err := os.MkdirAll(filepath.Dir(envFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(envFile, []byte("export A=b\nexport KUBECONFIG='/tmp/a b/config'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := testenvKubeconfig(); got != "/tmp/a b/config" {
		t.Errorf("got %q", got)
	}
}
