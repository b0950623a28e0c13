package gc

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// A client that comes back between a run's decision and its purge keeps its node, and so does one that is somebody
// else's by then: Nomad is asked once more right before.
func TestNodeThatComesBackIsNotPurged(t *testing.T) {
	for name, change := range map[string]func(*nomad.Node){
		"it works":            func(n *nomad.Node) { n.Status = nomad.NodeReady },
		"of another pool":     func(n *nomad.Node) { n.PoolUID = "other" },
		"of another member":   func(n *nomad.Node) { n.Member = "p-2" },
		"nothing has changed": nil,
	} {
		s := newFixture()
		runs := 0
		s.nomad.answered = func() {
			if runs++; runs == 4 && change != nil { // the run at the end of the grace period has observed the node, and decides
				n := s.nomad.inside[lostID]
				change(&n)
				s.nomad.inside[lostID] = n
			}
		}
		s.collectFor(t, 15*time.Minute)
		if runs != 5 || len(s.nomad.purged) > 0 != (change == nil) {
			t.Errorf("%s: asked %d times, purged %q", name, runs, s.nomad.purged)
		}
	}
}

// What is removed is what was observed: another object of its name stays.
func TestOrphansAreRemovedByTheirUID(t *testing.T) {
	s := newFixture()
	given := map[string]bool{}
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			given[o.GetName()] = (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions != nil
			return c.Delete(ctx, o, opts...)
		},
	})
	s.collectFor(t, 15*time.Minute)
	if !given[lostClaim] || !given[lostName] {
		t.Errorf("removed with their UID: %v", given)
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
