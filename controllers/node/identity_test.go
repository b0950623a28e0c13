package node

import (
	"context"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// unlisted is a leaving member whose node isn't in Nomad's list although Nomad has it.
func unlisted(inside nomad.Inspection, change func(*v1alpha1.NomadNode)) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainUnhealthy, now, now.Add(15*time.Minute))
		objects := running(n, s, inside.Node)
		inside.Node = s.nomad.inside.Node
		s.nomad.view.Nodes, s.nomad.inside = nil, inside
		change(n)
		return objects
	})
}

func asIs(*v1alpha1.NomadNode) {}

// A job can take its node out of the list by changing the node's meta. The member is drained anyway, and goes at its
// deadline.
func TestUnlistedNodeIsDrained(t *testing.T) {
	sent := &nomad.Drain{Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutForce}
	ended := &nomad.Drain{Status: nomad.DrainComplete, DrainID: "request-1", OnTimeout: nomad.TimeoutForce}
	for name, c := range map[string]struct {
		node    nomad.Node
		after   time.Duration
		calls   string
		drained string
	}{
		"eligible":   {nomad.Node{Status: nomad.NodeReady, Eligible: true}, 0, "inspect cordon", ""},
		"ineligible": {nomad.Node{Status: nomad.NodeReady}, 0, "inspect inspect drain", ""},
		"draining":   {nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: sent}, 0, "inspect", ""},
		"draining too long": {nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: sent}, 16 * time.Minute,
			"inspect inspect drain", ""},
		"drained by Nomad": {nomad.Node{Status: nomad.NodeReady, LastDrain: ended}, 16 * time.Minute, "inspect",
			v1alpha1.ReasonDeadline},
		"with meta of another": {nomad.Node{Status: nomad.NodeReady, Eligible: true, PoolUID: "x", Member: "y"}, 0,
			"inspect cordon", ""},
		"called otherwise": {nomad.Node{Name: "renamed", Status: nomad.NodeReady, Eligible: true, PoolUID: "u",
			Member: "p-1"}, 0, "inspect cordon", ""},
		"eligible and too long": {nomad.Node{Status: nomad.NodeReady, Eligible: true}, 16 * time.Minute, "inspect cordon",
			""},
	} {
		t.Run(name, func(t *testing.T) {
			s := unlisted(nomad.Inspection{Found: true, Node: c.node, Live: []nomad.Allocation{alloc}}, asIs)
			s.clock.SetTime(now.Add(c.after))
			s.nomad.view.Taken = s.clock.Now()
			res := s.reconcile(t)
			if calls := strings.Join(s.nomad.calls, " "); calls != c.calls {
				t.Errorf("Nomad was asked to %q, want %q", calls, c.calls)
			}
			d := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted)
			if got := d.Status == metav1.ConditionTrue; got != (c.drained != "") || got && d.Reason != c.drained {
				t.Errorf("drained: %+v", d)
			}
			if res.RequeueAfter <= 0 || res.RequeueAfter > viewRetry {
				t.Errorf("reconciles again after %s", res.RequeueAfter)
			}
		})
	}
}

// The controller asks for a node that Nomad doesn't have once in each reconcile, which don't become more frequent.
func TestAbsentNodeIsNotAskedForEachMoment(t *testing.T) {
	s := unlisted(nomad.Inspection{}, asIs)
	if res := s.reconcile(t); res.RequeueAfter < time.Minute || strings.Join(s.nomad.calls, " ") != "inspect" {
		t.Errorf("asked %q, and reconciles again after %s", s.nomad.calls, res.RequeueAfter)
	}
}

// silent doesn't answer for single nodes.
type silent struct{ *nomadStub }

func (s silent) Get(nomad.Connection) nomad.Cluster { return s }

func (s silent) Inspect(context.Context, string) (nomad.Inspection, error) {
	return nomad.Inspection{}, nomad.ErrUnreachable
}

// Unknown is not gone: the member waits. If somebody asked for its deletion, it waits only until its deadline.
func TestUnlistedNodeThatIsUnknown(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		s := unlisted(nomad.Inspection{}, func(n *v1alpha1.NomadNode) {
			if deleted {
				n.DeletionTimestamp, n.Finalizers = &metav1.Time{Time: now}, []string{v1alpha1.NodeFinalizer}
			}
		})
		s.Connections.Clusters = silent{s.nomad}
		s.clock.SetTime(now.Add(16 * time.Minute))
		s.nomad.view.Taken = s.clock.Now()
		s.reconcile(t)
		if d := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted); (d.Status == metav1.ConditionTrue) != deleted ||
			len(s.nomad.calls) > 0 {
			t.Errorf("deleted %t: %+v, asked %q", deleted, d, s.nomad.calls)
		}
	}
}

// Nothing is done to an external node of the member's ID, whatever becomes of the member.
func TestExternalNodeIsLeftAlone(t *testing.T) {
	external := nomad.Node{ID: testNodeID, Name: "web-7", Status: nomad.NodeReady, Eligible: true, PoolUID: "x",
		Member: "web-7"}
	for name, c := range map[string]struct {
		policy  v1alpha1.DrainTimeoutAction
		listed  bool
		after   time.Duration
		drained bool
	}{
		"before the deadline": {v1alpha1.DrainForce, true, 0, false},
		"unlisted, before it": {v1alpha1.DrainForce, false, 0, false},
		"at the deadline":     {v1alpha1.DrainForce, true, 16 * time.Minute, true},
		"Retain":              {v1alpha1.DrainRetain, true, 16 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := unlisted(nomad.Inspection{Found: true, Node: external, Live: []nomad.Allocation{alloc}},
				func(n *v1alpha1.NomadNode) {
					n.Spec.ScaleIn.Drain.OnTimeout = c.policy
				})
			if c.listed {
				listed := external
				listed.PoolUID, listed.Member = "", ""
				s.nomad.view.Nodes = map[string]nomad.Node{testNodeID: listed}
			}
			s.clock.SetTime(now.Add(c.after))
			s.nomad.view.Taken = s.clock.Now()
			s.reconcile(t)
			onlyInspected(t, s)
			d := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted)
			if (d.Status == metav1.ConditionTrue) != c.drained {
				t.Errorf("drained: %+v", d)
			}
			if !c.drained &&
				(d.Reason != v1alpha1.ReasonNodeIDTaken || !strings.Contains(d.Message, `"web-7" of the pool with the UID "x"`)) {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// A member whose node turned out to be external goes in the end, and the node stays.
func TestMemberWithAnExternalNodeGoes(t *testing.T) {
	external := nomad.Node{ID: testNodeID, Name: "web-7", Status: nomad.NodeReady, Eligible: true, PoolUID: "x",
		Member: "web-7"}
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		running(n, s, external)
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainUnhealthy, now.Add(-time.Hour),
			now.Add(-time.Minute))
		n.DeletionTimestamp, n.Finalizers = &metav1.Time{Time: now}, []string{v1alpha1.NodeFinalizer}
		n.Status.DrainResult = v1alpha1.DrainDeadlinePassed
		n.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.NodeDrainCompleted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeadline,
				LastTransitionTime: metav1.NewTime(now)},
		}
		return nil // the VM is gone
	})
	for range 20 {
		s.reconcile(t)
		if err := s.Client.Get(t.Context(), request.NamespacedName, &v1alpha1.NomadNode{}); apierrors.IsNotFound(err) {
			onlyInspected(t, s)
			return
		}
	}
	t.Errorf("it is there: %+v", s.node(t).Status)
}

// A NomadNode that is a copy of another one has the ID of a node that it doesn't own, and never will.
func TestCopyOfAMemberDoesNothingToItsNode(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
			running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true, PoolUID: "u", Member: "p-1"})
			n.Status = v1alpha1.NomadNodeStatus{}
			if deleted {
				n.DeletionTimestamp, n.Finalizers = &metav1.Time{Time: now}, []string{v1alpha1.NodeFinalizer}
			}
			return nil
		})
		for range 10 {
			if _, err := s.Reconcile(t.Context(), request); err != nil {
				t.Fatal(err)
			}
		}
		onlyInspected(t, s)
		n := &v1alpha1.NomadNode{}
		err := s.Client.Get(t.Context(), request.NamespacedName, n)
		switch {
		case deleted && err == nil:
			t.Errorf("still there: %+v", n.Status.Conditions)
		case !deleted && (nodestate.Condition(n,
			v1alpha1.NodeVMReady).Reason != v1alpha1.ReasonNodeIDTaken || n.Status.Nomad.Status != ""):
			t.Errorf("got %+v, %v", n.Status, err)
		}
	}
}

func onlyInspected(t *testing.T, s *fixture) {
	t.Helper()
	for _, call := range s.nomad.calls {
		if call != "inspect" {
			t.Errorf("Nomad was asked to %q", s.nomad.calls)
			return
		}
	}
}

// A job on a member that stays takes the node out of the list. The member's status names that, and nothing is done to
// the node. Once its meta is as it was, the member is as it was.
func TestWantedMemberWhoseMetaWasChanged(t *testing.T) {
	var listed map[string]nomad.Node
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
	})
	s.reconcile(t)
	s.event()
	listed, s.nomad.view.Nodes = s.nomad.view.Nodes, nil
	s.reconcile(t)
	n := s.node(t)
	ready := nodestate.Condition(n, v1alpha1.NodeReady)
	if ready.Reason != v1alpha1.ReasonNodeMetaChanged || n.Status.Nomad.Status != "unlisted" ||
		!strings.Contains(ready.Message, "-node-id "+testNodeID+" harvester_pool_uid=u.") {
		t.Errorf("Ready %+v, Nomad %q", ready, n.Status.Nomad.Status)
	}
	if e := s.event(); !strings.HasPrefix(e, "Warning NodeMetaChanged ") {
		t.Errorf("event %q", e)
	}
	onlyInspected(t, s)
	s.nomad.view.Nodes = listed
	s.reconcile(t)
	if n := s.node(t); nodestate.Condition(n, v1alpha1.NodeReady).Reason != v1alpha1.ReasonNodeReady {
		t.Errorf("got %+v", n.Status)
	}
}
