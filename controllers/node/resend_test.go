package node

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// ended is a Nomad whose view still shows a drain that is over.
type ended struct{ *nomadStub }

func (e ended) Get(nomad.Connection) nomad.Cluster { return e }

func (e ended) ResendDrain(context.Context, string, nomad.DrainOptions) error {
	e.called("resend")
	return nomad.ErrNotDraining
}

// A drain that has ended in the meantime isn't resent, and isn't recorded as resent: the next drain may need that.
func TestResendThatCameTooLateIsNotRecorded(t *testing.T) {
	system := alloc
	system.JobType = "system"
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-time.Minute),
			now.Add(time.Minute))
		n.Status.Nomad.OnlySystemTime = &metav1.Time{Time: now.Add(-time.Minute)}
		s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: {system}}}
		last := &nomad.Drain{Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutForce,
			StartedAt: now.Add(-time.Minute)}
		return running(n, s, nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: last})
	})
	s.Connections.Clusters = ended{s.nomad}
	if res := s.reconcile(t); len(s.nomad.calls) != 1 || s.nomad.calls[0] != "resend" || res.RequeueAfter != viewRetry {
		t.Errorf("asked for %q, reconciles again after %s", s.nomad.calls, res.RequeueAfter)
	}
	if got := s.node(t).Status.ResentDrain; got != "" {
		t.Errorf("resent %q", got)
	}
	if e := s.event(); e != "" {
		t.Errorf("event %q", e)
	}
}
