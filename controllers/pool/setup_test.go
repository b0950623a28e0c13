package pool

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A pool is woken by what it owns, as controller-runtime's handler would.
func TestOwnerOfAMember(t *testing.T) {
	owner := metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "NomadNodePool", Name: "p",
		Controller: new(true)}
	with := func(change func(*metav1.OwnerReference)) []metav1.OwnerReference {
		o := owner
		change(&o)
		return []metav1.OwnerReference{o}
	}
	for name, c := range map[string]struct {
		owners []metav1.OwnerReference
		want   bool
	}{
		"its pool":           {with(func(*metav1.OwnerReference) {}), true},
		"nobody":             {nil, false},
		"another version":    {with(func(o *metav1.OwnerReference) { o.APIVersion = v1alpha1.GroupVersion.Group + "/v1" }), true},
		"another group":      {with(func(o *metav1.OwnerReference) { o.APIVersion = "example.com/v1alpha1" }), false},
		"no group at all":    {with(func(o *metav1.OwnerReference) { o.APIVersion = "a/b/c" }), false},
		"another kind":       {with(func(o *metav1.OwnerReference) { o.Kind = "NomadNode" }), false},
		"not its controller": {with(func(o *metav1.OwnerReference) { o.Controller = nil }), false},
	} {
		n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1", OwnerReferences: c.owners}}
		got := ownerOf(t.Context(), n)
		if len(got) == 1 != c.want || c.want && got[0].String() != "ns/p" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
