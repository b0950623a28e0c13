package node

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// Just after a start Nomad hasn't been asked: that it gives no token isn't known then, and is soon.
func TestTokenIsRenewedOnceNomadHasBeenAsked(t *testing.T) {
	s := waiting(time.Hour, "a.b.c")
	view := s.nomad.view
	s.nomad.view = nomad.View{}
	if res := s.reconcile(t); res.RequeueAfter != notAskedRetry || len(s.nomad.calls) > 0 || s.started(t) {
		t.Errorf("reconciles again after %s, started: %t, asked for %q", res.RequeueAfter, s.started(t), s.nomad.calls)
	}
	s.nomad.view = view
	if s.reconcile(t); !s.started(t) {
		t.Errorf("once Nomad has been asked it isn't started; asked for %q", s.nomad.calls)
	}
}

// What was known last of a member's node stays in its status while Nomad can't be asked. Its allocations don't, but for
// the moment after a start.
func TestUnknownNodeKeepsItsStatus(t *testing.T) {
	for name, c := range map[string]struct {
		view  nomad.View
		since func(*v1alpha1.NomadStatus)
	}{
		"not asked yet": {nomad.View{}, func(*v1alpha1.NomadStatus) {}},
		"away": {nomad.View{Health: nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}},
			func(st *v1alpha1.NomadStatus) { st.Allocations, st.Blocking = nil, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Hour))
				s.nomad.allocs = nomad.AllocationsView{Started: now,
					Live: map[string][]nomad.Allocation{testNodeID: {alloc}}}
				return running(n, s, nomad.Node{Status: nomad.NodeReady, Draining: true,
					LastDrain: &nomad.Drain{DrainID: "request-1", Status: nomad.DrainDraining}})
			})
			s.reconcile(t)
			want := s.node(t).Status.Nomad
			if want.Status != "draining" || want.Allocations == nil || len(want.Blocking) != 1 {
				t.Fatalf("before: %+v", want)
			}
			c.since(&want)
			s.nomad.view, s.nomad.allocs = c.view, nomad.AllocationsView{}
			s.clock.SetTime(now.Add(10 * time.Second))
			s.reconcile(t)
			if got := s.node(t).Status.Nomad; !equality.Semantic.DeepEqual(got, want) {
				t.Errorf("became %+v, want %+v", got, want)
			}
		})
	}
}
