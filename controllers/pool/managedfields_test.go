package pool

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Who scaled a pool is the same, whether it was read from the cache or from the API server.
func TestOwnersOfReplicasTellTheSame(t *testing.T) {
	replicas := `{"f:metadata":{"f:labels":{"f:replicas":{}}},"f:spec":{"f:replicas":{},"f:template":{"f:cpu":{}}}}`
	entry := func(manager, subresource, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	for name, c := range map[string]struct {
		all []metav1.ManagedFieldsEntry
		by  string
		n   int
	}{
		"nothing":     {nil, "", 0},
		"nobody":      {[]metav1.ManagedFieldsEntry{entry("a", "", `{"f:spec":{}}`), entry("b", "", `{}`)}, "", 1},
		"a scaling":   {[]metav1.ManagedFieldsEntry{entry("a", "", replicas), entry("b", "scale", replicas)}, "b", 2},
		"a status":    {[]metav1.ManagedFieldsEntry{entry("a", "", replicas), entry("b", "status", replicas)}, "a", 1},
		"the same":    {[]metav1.ManagedFieldsEntry{entry("a", "", replicas), entry("b", "", replicas)}, "b", 2},
		"none of ...": {[]metav1.ManagedFieldsEntry{{Manager: "a"}}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.NomadNodePool{}
			p.ManagedFields = c.all
			if by := scaledBy(p); by != c.by {
				t.Fatalf("scaled by %q", by)
			}
			p.ManagedFields = OwnersOfReplicas(c.all)
			if by := scaledBy(p); by != c.by || len(p.ManagedFields) != c.n {
				t.Errorf("of %d entries: scaled by %q", len(p.ManagedFields), by)
			}
		})
	}
}
