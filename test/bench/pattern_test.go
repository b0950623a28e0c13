package main

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestRenames(t *testing.T) {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"name": "pool-abc-1", "uid": "u1", "resourceVersion": "7", "generation": int64(3),
			"ownerReferences": []any{map[string]any{"name": "pool", "uid": "of-pool"}}},
		"status": map[string]any{"node": "node-id", "of": "pool"},
	}}
	got, err := renames{"pool-abc-1", "other-0-7", "of-pool", "new", "pool", "other", "node-id", "di"}.of(o)
	if err != nil {
		t.Fatal(err)
	}
	owner, _, _ := unstructured.NestedSlice(got.Object, "metadata", "ownerReferences")
	node, _, _ := unstructured.NestedString(got.Object, "status", "node")
	if got.GetName() != "other-0-7" || got.GetUID() != "" || got.GetResourceVersion() != "" || got.GetGeneration() != 0 ||
		owner[0].(map[string]any)["uid"] != "new" || owner[0].(map[string]any)["name"] != "other" || node != "di" {
		t.Errorf("%v", got.Object)
	}
	if o.GetName() != "pool-abc-1" {
		t.Error("the pattern was changed")
	}
}
