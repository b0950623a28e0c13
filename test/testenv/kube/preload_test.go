package kube_test

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

const things = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// What is preloaded is served as if it had been created, with its status, and may be changed.
func preload(t *testing.T, cp *kube.ControlPlane) {
	crds, err := kube.Decode([]byte(things))
	if err != nil {
		t.Fatal(err)
	}
	if err := kube.InstallCRDs(t.Context(), cp.Client, crds...); err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for i := range 120 {
		objects = append(objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.com/v1", "kind": "Thing",
			"metadata": map[string]any{"namespace": "demo", "name": fmt.Sprintf("thing-%d", i),
				"uid": fmt.Sprintf("uid-%d", i), "creationTimestamp": "2026-01-01T00:00:00Z", "generation": int64(1)},
			"status": map[string]any{"number": int64(i)},
		}})
	}
	if err := cp.Preload(t.Context(), "things", objects...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all things", func(ctx context.Context) error {
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(objects[0].GroupVersionKind().GroupVersion().WithKind("ThingList"))
		if err := cp.Client.List(ctx, l, client.InNamespace("demo")); err != nil || len(l.Items) != len(objects) {
			return fmt.Errorf("%d things: %w", len(l.Items), err)
		}
		return nil
	})
	one := objects[7].DeepCopy()
	if err := cp.Client.Get(t.Context(), client.ObjectKeyFromObject(one), one); err != nil {
		t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(one.Object, "status", "number"); n != 7 || one.GetUID() != "uid-7" {
		t.Errorf("it is %v", one.Object)
	}
	one.SetLabels(map[string]string{"a": "b"})
	if err := cp.Client.Update(t.Context(), one); err != nil {
		t.Error(err)
	}
	if err := cp.Preload(t.Context(), "things", &unstructured.Unstructured{Object: map[string]any{}}); err == nil {
		t.Error("an object without a UID was put into etcd")
	}
}
