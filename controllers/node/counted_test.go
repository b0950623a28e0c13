package node

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// The release of a member waits until its pool has counted it, without an error.
func TestMemberIsReleasedOnceItIsCounted(t *testing.T) {
	for recorded, waits := range map[int64]bool{0: true, 1: false} {
		p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u"}}
		p.Status.NextOrdinal = recorded
		gone := &v1alpha1.NomadNode{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: pool.MemberName("p", "u", 0), UID: "g",
				Finalizers: []string{v1alpha1.NodeFinalizer}},
			Spec: v1alpha1.NomadNodeSpec{PoolName: "p", PoolUID: "u", NodeID: testNodeID, Revision: "r"},
		}
		s := newFixture(func(*v1alpha1.NomadNode, *fixture) []client.Object { return []client.Object{p, gone} })
		if err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(gone), gone); err != nil {
			t.Fatal(err)
		}
		out := member.Outcome{}
		if err := s.release(t.Context(), &scope{node: gone}, member.Decision{Step: member.Release}, &out); err != nil {
			t.Fatal(err)
		}
		if err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(gone), gone); err != nil {
			t.Fatal(err)
		}
		if kept := len(gone.Finalizers) > 0; kept != waits || (out.RetryAfter == countRetry) != waits {
			t.Errorf("counted up to %d: kept is %t, reconciled again after %s", recorded, kept, out.RetryAfter)
		}
	}
}
