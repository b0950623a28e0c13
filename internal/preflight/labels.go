package preflight

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// labels checks what Kubernetes would refuse each VM for. CEL could, at a price that the rules of the kind have no
// budget for.
func (c *checker) labels(t *v1alpha1.NodeTemplate) {
	const remedy = "; use words as Kubernetes has them"
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		c.qualifiedName("spec.template.labels", key, remedy)
		if why := validation.IsValidLabelValue(t.Labels[key]); len(why) > 0 {
			c.report(v1alpha1.ReasonTemplateInvalid, "spec.template.labels: %s: %q can't be a label's value: %s%s", key,
				t.Labels[key], strings.Join(why, ", "), remedy)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.Annotations)) {
		c.qualifiedName("spec.template.annotations", strings.ToLower(key), remedy)
	}
}

func (c *checker) qualifiedName(field, key, remedy string) {
	if why := validation.IsQualifiedName(key); len(why) > 0 {
		c.report(v1alpha1.ReasonTemplateInvalid, "%s: %q can't be a key: %s%s", field, key, strings.Join(why, ", "), remedy)
	}
}
