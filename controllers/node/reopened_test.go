package node

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// sentDrains notes what drains are sent with.
type sentDrains struct {
	*nomadStub
	sent *[]nomad.DrainOptions
}

func (n sentDrains) Get(nomad.Connection) nomad.Cluster { return n }

func (n sentDrains) Drain(_ context.Context, _ string, o nomad.DrainOptions) (bool, error) {
	*n.sent = append(*n.sent, o)
	return true, nil
}

// reopened is a member that scaled in, was drained an hour ago, and has got work before its VM was deleted.
func reopened(change func(n *v1alpha1.NomadNode)) (s *fixture, sent *[]nomad.DrainOptions) {
	s = drained(nomad.Health{State: nomad.HealthReachable}, func(n *v1alpha1.NomadNode) []client.Object {
		n.Spec.ScaleIn.Drain.OnTimeout = v1alpha1.DrainForce
		change(n)
		return []client.Object{&v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u"}}}
	})
	sent = &[]nomad.DrainOptions{}
	s.Connections.Clusters = sentDrains{s.nomad, sent}
	busy := nomad.Node{ID: testNodeID, Name: "p-1", Status: nomad.NodeReady, Eligible: true,
		LastDrain: &nomad.Drain{Status: nomad.DrainComplete, DrainID: "request-1"}}
	s.nomad.view.Nodes[testNodeID] = busy
	s.nomad.inside = nomad.Inspection{Found: true, Node: busy, Live: []nomad.Allocation{alloc}}
	return s, sent
}

// What a drained member has got since has the time of a drain to stop, however long ago the first one was over.
func TestReopenedDrainHasItsTime(t *testing.T) {
	s, sent := reopened(func(*v1alpha1.NomadNode) {})
	for range 3 {
		s.reconcile(t)
		ineligible := s.nomad.inside.Node
		ineligible.Eligible = false
		s.nomad.view.Nodes[testNodeID] = ineligible
	}
	if len(*sent) == 0 || (*sent)[0].Remaining != 15*time.Minute {
		t.Errorf("sent %+v", *sent)
	}
	if in := s.node(t).Spec.Drain; in.ID != "request-2" || in.Reason != v1alpha1.DrainScaleIn {
		t.Errorf("the drain request is %+v", in)
	}
}

// The controller itself has deleted the NomadNode of a member that scales in. While Nomad can't be asked that is no
// reason to take its VM away, however often it is drained once more; that somebody deleted it before is one, once the
// deadline is over.
func TestBusyVMOfAReopenedMemberStaysWhileNomadIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		byController bool
		goes         bool
	}{"the controller deleted it": {true, false}, "somebody deleted it before": {false, true}} {
		t.Run(name, func(t *testing.T) {
			s, _ := reopened(func(n *v1alpha1.NomadNode) { n.Status.DeletedByController = c.byController })
			for range 2 {
				s.reconcile(t)
				n := s.node(t)
				if nodestate.Of(n).Drained || s.vmGone(t) {
					t.Fatal("it isn't drained once more")
				}
				n.Status.DrainResult = v1alpha1.DrainEmpty // and again
				kube.SetCondition(&n.Status.Conditions, v1alpha1.NodeDrainCompleted, condition.True("Empty", "x"), 0, s.clock.Now())
				if err := s.Client.Status().Update(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			s.reconcile(t)
			s.nomad.view = nomad.View{Health: nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}}
			for i := range 30 {
				s.clock.SetTime(now.Add(time.Duration(i) * time.Minute))
				s.reconcile(t)
				if s.vmGone(t) {
					break
				}
			}
			if got := s.vmGone(t); got != c.goes {
				t.Errorf("the VM is gone: %t", got)
			}
		})
	}
}
