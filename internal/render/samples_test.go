package render_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate/harvestertemplatetest"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// fixturesReader reads the test environment's fixtures, to which the samples refer.
func fixturesReader(t *testing.T) client.Reader {
	t.Helper()
	present, err := fixtures.Objects()
	if err != nil {
		t.Fatal(err)
	}
	var objects []client.Object
	for _, o := range present {
		text, _, _ := unstructured.NestedStringMap(o.Object, "stringData")
		for key, value := range text { // as the API server does
			if err := unstructured.SetNestedField(o.Object, base64.StdEncoding.EncodeToString([]byte(value)), "data", key); err != nil {
				t.Fatal(err)
			}
		}
		delete(o.Object, "stringData")
		objects = append(objects, o)
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if kind := o.GetObjectKind().GroupVersionKind(); !scheme.Recognizes(kind) {
			scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// Each sample is a pool whose fields there are, whose pre-flight finds nothing in the test environment, and whose
// members are as Harvester and cloud-init want them.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}
	reader := fixturesReader(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &v1alpha1.NomadNodePool{}
			if err := yaml.UnmarshalStrict(doc, p); err != nil {
				t.Fatal(err)
			}
			m := blueprinttest.Member()
			m.Namespace, m.PoolName, m.Template, m.Client, m.Region = p.Namespace, p.Name, p.Spec.Template, p.Spec.Nomad.NomadClient, p.Spec.Nomad.Region
			if m.Template.From != nil {
				version, problem, err := preflight.ReadTemplate(t.Context(), reader, *m.Template.From)
				if err != nil || problem != nil {
					t.Fatal(problem, err)
				}
				m.Template = *harvestertemplatetest.Resolved(t, m.Template, version)
			}
			f, err := preflight.Gather(t.Context(), reader, m.Namespace, &m.Template, &m.Client)
			if err != nil {
				t.Fatal(err)
			}
			r := rendertest.Member(t, m, f)
			s := checklist.Subject{VM: r.VM, Secret: r.Secret, PoolUID: m.PoolUID, Images: map[string]checklist.Image{}}
			for name, image := range f.Images {
				s.Images[name] = checklist.Image{StorageClassName: image.StorageClassName, VirtualSize: image.VirtualSize}
			}
			for _, row := range checklist.Check(s) {
				if row.Wrong != "" {
					t.Errorf("%s: %s", row.Demand, row.Wrong)
				}
			}
		})
	}
}
