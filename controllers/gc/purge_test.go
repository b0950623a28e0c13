package gc

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// A client that comes back between a run's decision and its purge keeps its node: Nomad is asked once more right before.
func TestNodeThatComesBackIsNotPurged(t *testing.T) {
	s := newFixture()
	runs := 0
	s.nomad.answered = func() {
		if runs++; runs == 4 { // the run at the end of the grace period has observed the node, and decides
			n := s.nomad.inside[lostID]
			n.Status = nomad.NodeReady
			s.nomad.inside[lostID] = n
		}
	}
	s.collectFor(t, 15*time.Minute)
	if runs != 5 || len(s.nomad.purged) > 0 {
		t.Errorf("asked %d times, purged %q", runs, s.nomad.purged)
	}
}

// relations records what Events are related to.
type relations struct{ related []runtime.Object }

func (r *relations) Eventf(_, related runtime.Object, _, _, _, _ string, _ ...any) {
	r.related = append(r.related, related)
}

// An Event names only objects of Kubernetes: a Nomad node is none, so the Event of its purge is related to the member.
func TestEventOfAPurgeIsRelatedToTheMember(t *testing.T) {
	s, r := newFixture(), &relations{}
	s.Events.EventRecorder = r
	s.Events.orphanRemoved(&v1alpha1.NomadNodePool{}, orphan.Resource{Kind: orphan.ClientNode, Member: "p-1",
		Key: orphan.Key{Namespace: "ns", Name: lostID}})
	if len(r.related) != 1 {
		t.Fatalf("related to %v", r.related)
	}
	if n, ok := r.related[0].(*v1alpha1.NomadNode); !ok || n.Name != "p-1" {
		t.Errorf("related to %+v", r.related[0])
	}
}
