package node

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// requestedMeanwhile reads a member that has got a drain request since the cache saw it.
type requestedMeanwhile struct{ client.Reader }

func (r requestedMeanwhile) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	err := r.Reader.Get(ctx, key, o, opts...)
	if n, ok := o.(*v1alpha1.NomadNode); ok {
		n.ResourceVersion = "later"
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Minute))
	}
	return err
}

// A drain that a snapshot of Nomad brought back is undone as its request was: an operator's cordon stays.
func TestRestoredDrainIsUndone(t *testing.T) {
	drains := nomad.Node{Name: "p-1", Status: nomad.NodeReady, Draining: true,
		LastDrain: &nomad.Drain{Status: nomad.DrainDraining, DrainID: "request-1"}}
	other := drains
	other.LastDrain = &nomad.Drain{Status: nomad.DrainDraining}
	external := drains
	external.Name = "another"
	for name, c := range map[string]struct {
		cordonedFor, calls, message string
		inside                      nomad.Node
		stale                       bool
	}{
		"we made it ineligible":    {"request-1", "inspect uncordon", "is eligible again", drains, false},
		"an operator did before":   {"", "inspect cancel drain", "stays ineligible", drains, false},
		"undone, unseen yet":       {"request-1", "inspect", "", nomad.Node{Name: "p-1", Eligible: true}, false},
		"an operator's meanwhile":  {"request-1", "inspect", "", other, false},
		"external by now":          {"request-1", "inspect", "", external, false},
		"requested, unseen by us":  {"request-1", "inspect", "", drains, true},
		"another request cordoned": {"request-0", "inspect cancel drain", "stays ineligible", drains, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Status.CordonedDrain = c.cordonedFor
				n.Status.JoinedTime = &metav1.Time{Time: now.Add(-time.Hour)}
				return running(n, s, drains)
			})
			s.nomad.inside.Node = c.inside
			if c.stale {
				s.Live = requestedMeanwhile{s.Live}
			}
			res := s.reconcile(t)
			if c.message == "" && !c.stale && res.RequeueAfter != viewRetry {
				t.Errorf("reconciles again after %s", res.RequeueAfter)
			}
			if c.message != "" { // the request is there again before anything is done to the node
				d, e := s.node(t).Spec.Drain, s.event()
				if d == nil || d.ID != "request-1" || !d.Canceled || len(s.nomad.calls) != 1 || !strings.Contains(e, "snapshot") {
					t.Fatalf("request %+v, event %q, Nomad was asked to %q", d, e, s.nomad.calls)
				}
				s.nomad.calls = nil
				s.reconcile(t)
			}
			if calls := strings.Join(s.nomad.calls, " "); calls != c.calls {
				t.Errorf("Nomad was asked to %q", calls)
			}
			if e := s.event(); c.message == "" && strings.Contains(e, "DrainCanceled") || !strings.Contains(e, c.message) {
				t.Errorf("event %q", e)
			}
		})
	}
}
