package node

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// What was read in the second in which a member was made may be older than the member. That matters only for what is
// copied.
func TestFactsAreNotOlderThanTheMember(t *testing.T) {
	second := now.Truncate(time.Second)
	of := func(made time.Time) *v1alpha1.NomadNode {
		return &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(made)}}
	}
	for name, tc := range map[string]struct {
		facts blueprint.Facts
		made  time.Time
		want  bool
	}{
		"a Secret, the same second": {blueprint.Facts{Secrets: map[string]map[string]string{"s": {}}}, second, false},
		"a Secret, a second later": {blueprint.Facts{Secrets: map[string]map[string]string{"s": {}}},
			second.Add(-time.Second), true},
		"an SSH key, the same second": {blueprint.Facts{KeyPairs: map[string]blueprint.KeyPair{"k": {}}}, second, false},
		"a Harvester template's cloud-init, the same second": {blueprint.Facts{From: &blueprint.TemplateCloudInit{}},
			second, false},
		"an image, the same second": {blueprint.Facts{Images: map[string]blueprint.Image{"i": {}}}, second, true},
	} {
		var c factsCache
		c.Put(revisionOf(of(tc.made)), tc.facts, second.Add(100*time.Millisecond))
		if _, got := c.of(of(tc.made), second.Add(700*time.Millisecond)); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
