package node

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// What was read in the second in which a member was made may be older than the member.
func TestFactsAreNotOlderThanTheMember(t *testing.T) {
	second := now.Truncate(time.Second)
	of := func(made time.Time) *v1alpha1.NomadNode {
		return &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(made)}}
	}
	for made, want := range map[time.Time]bool{second: false, second.Add(-time.Second): true} {
		var c factsCache
		c.put(of(made), blueprint.Facts{}, second.Add(100*time.Millisecond))
		if _, got := c.get(of(made), second.Add(700*time.Millisecond)); got != want {
			t.Errorf("made at %s: %t", made, got)
		}
	}
}
