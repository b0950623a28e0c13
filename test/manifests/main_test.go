package manifests

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const (
	timeout    = 5 * time.Minute
	namespace  = "nomad-clients"
	controller = "system:serviceaccount:nomad-harvester-system:nomad-harvester-controller"
)

// start returns the controller's client on an API server on which the product is installed. Admission asks the rights
// of whoever else writes, and test/e2e what then comes of it. Misspelt fields are refused, as kubectl has it.
func start(t *testing.T) client.Client {
	t.Helper()
	cp := kubetest.Start(t, timeout, install)
	config := rest.CopyConfig(cp.RESTConfig)
	config.Impersonate = rest.ImpersonationConfig{UserName: controller, Groups: []string{"system:masters"}}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(cp.RESTConfig, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := process.WaitFor(ctx, 100*time.Millisecond, "the policies to be in force", func(ctx context.Context) error {
		if err := admin.Create(ctx, object(t, node), client.DryRunAll); err == nil || !strings.Contains(err.Error(),
			"NomadNodes are made by their NomadNodePool alone") {
			return fmt.Errorf("they aren't: %w", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

func install(ctx context.Context, cp *kube.ControlPlane) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := cp.Client.Create(ctx, ns); err != nil {
		return err
	}
	for _, part := range []string{"crd/bases", "admission"} {
		objects, err := kube.DecodeDir(filepath.Join("..", "..", "config", filepath.FromSlash(part)))
		if err != nil {
			return err
		}
		objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Kustomization" })
		if err := kube.Create(ctx, cp.Client, objects...); err != nil {
			return err
		}
		if part == "crd/bases" {
			if err := kube.WaitEstablished(ctx, cp.Client, objects...); err != nil {
				return err
			}
		}
	}
	return nil
}

// pool and node are as they should be, and as every manifest here is but for what it says.
var (
	pool = read("../../config/samples/minimal.yaml")
	node = func(t *testing.T) map[string]any {
		t.Helper()
		spec := pool(t)["spec"].(map[string]any)
		delete(spec, "replicas")
		spec["poolName"], spec["poolUID"], spec["revision"] = "small", "6a1f7a55-2f3e-4b7e-9f0e-0d7d3c1a9f10", "r1"
		spec["nodeID"] = "6f1c02d4-8a55-4a0e-9d3c-51b2f3a4c5d6"
		return map[string]any{"apiVersion": "nomad.harvesterhci.io/v1alpha1", "kind": "NomadNode",
			"metadata": map[string]any{"namespace": namespace, "name": "small-1"}, "spec": spec}
	}
)

func read(file string) func(*testing.T) map[string]any {
	return func(t *testing.T) map[string]any {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return parse(t, string(text)).(map[string]any)
	}
}

// object is a manifest with what lines say, each as in "spec.template.disks.0.size: 5Gi". A value is YAML, in one
// line; "-" takes the field out.
func object(t *testing.T, base func(*testing.T) map[string]any, lines ...string) *unstructured.Unstructured {
	t.Helper()
	o := base(t)
	for _, line := range lines {
		path, text, found := strings.Cut(line, ": ")
		if !found {
			t.Fatalf("%q sets nothing", line)
		}
		set(t, o, strings.Split(path, "."), text)
	}
	return &unstructured.Unstructured{Object: o}
}

func set(t *testing.T, in any, path []string, text string) {
	t.Helper()
	switch in := in.(type) {
	case map[string]any:
		switch {
		case len(path) == 1 && text == "-":
			delete(in, path[0])
		case len(path) == 1:
			in[path[0]] = parse(t, text)
		default:
			if in[path[0]] == nil {
				in[path[0]] = map[string]any{}
			}
			set(t, in[path[0]], path[1:], text)
		}
	case []any:
		i, err := strconv.Atoi(path[0])
		switch {
		case err != nil || i >= len(in):
			t.Fatalf("no item %s", path[0])
		case len(path) == 1:
			in[i] = parse(t, text)
		default:
			set(t, in[i], path[1:], text)
		}
	default:
		t.Fatalf("%v is in no mapping", path)
	}
}

// parse reads YAML as kubectl does, with whole numbers as such.
func parse(t *testing.T, text string) any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"x","value":` + string(data) + `}`)); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return o.Object["value"]
}

// decodes reports what the controller's programs would make of an object that was let in: one that they can't read
// would keep them from reading any.
func decodes(o *unstructured.Unstructured, into any) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
