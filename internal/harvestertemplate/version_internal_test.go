package harvestertemplate

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The version's own labels and annotations are under those of its VM.
func TestLabelsOfTheVersionItself(t *testing.T) {
	obj := &unstructured.Unstructured{
		Object: map[string]any{"spec": map[string]any{"vm": map[string]any{"metadata": map[string]any{
			"labels": map[string]any{"team": "data"}, "annotations": map[string]any{"note": "vm"}}}}},
	}
	obj.SetLabels(map[string]string{"team": "other", "stage": "prod", "template.harvesterhci.io/templateID": "build"})
	obj.SetAnnotations(map[string]string{"note": "version", "ticket": "7"})
	v, err := VersionOf(obj, "default/build-1")
	if err != nil {
		t.Fatal(err)
	}
	if v.Labels["team"] != "data" || v.Labels["stage"] != "prod" || v.Annotations["note"] != "vm" ||
		v.Annotations["ticket"] != "7" {
		t.Errorf("%v %v", v.Labels, v.Annotations)
	}
	if got := mergedUnder(nil, v.Labels, chosenLabel); len(got) != 2 {
		t.Errorf("%v", got)
	}
}
