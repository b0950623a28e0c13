package node

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// leavingWith is a member with a drain request, whose node the view and the leader show as these.
func leavingWith(view, leader nomad.Node, change func(*v1alpha1.NomadNode)) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
		s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: nil}}
		objects := running(n, s, leader)
		leader = s.nomad.inside.Node
		running(n, s, view)
		s.nomad.inside = nomad.Inspection{Found: true, Node: leader}
		change(n)
		return objects
	})
}

// observed is the fixture's member as it is observed.
func (s *fixture) observed(t *testing.T) *scope {
	t.Helper()
	of, err := s.observe(t.Context(), s.node(t))
	if err != nil {
		t.Fatal(err)
	}
	return of
}

// stale has the API server hold another version of the member than the cache.
func (s *fixture) stale(t *testing.T) {
	t.Helper()
	n := s.node(t)
	n.ResourceVersion = "1234"
	s.Live = kubetest.Client().WithObjects(n).Build()
}

func TestEligibleNodeOfADrainedMemberIsDrainedOnceMore(t *testing.T) {
	s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
	s.nomad.inside.Node.Eligible = true
	if s.reconcile(t); s.vmGone(t) || s.node(t).Spec.Drain.ID != "request-2" {
		t.Errorf("the VM is gone: %t, the drain request is %+v", s.vmGone(t), s.node(t).Spec.Drain)
	}
}

// A NomadNode that the controller deletes wasn't deleted by somebody, whose wish ends all waiting.
func TestWhoDeletesADrainedMemberIsWritten(t *testing.T) {
	complete := nomad.Node{Status: nomad.NodeReady, LastDrain: &nomad.Drain{DrainID: "request-1", Status: nomad.DrainComplete}}
	for name, bySomebody := range map[string]bool{"the controller": false, "somebody": true} {
		s := leavingWith(complete, complete, func(n *v1alpha1.NomadNode) {
			if bySomebody {
				n.DeletionTimestamp = &metav1.Time{Time: now}
			}
		})
		s.reconcile(t)
		if n := s.node(t); n.Status.DrainResult == "" || n.Status.DeletedByController == bySomebody {
			t.Errorf("%s: drained %q, by the controller: %t", name, n.Status.DrainResult, n.Status.DeletedByController)
		}
	}
}

// What was written since the observation isn't overwritten.
func TestWritesAreOfWhatWasObserved(t *testing.T) {
	for name, write := range map[string]func(context.Context, *fixture, *scope) error{
		"the NomadNode": func(ctx context.Context, s *fixture, of *scope) error {
			return s.patchNode(ctx, of, func(n *v1alpha1.NomadNode) { n.Spec.PoolName = "x" })
		},
		"the status": func(ctx context.Context, s *fixture, of *scope) error {
			return s.writeStatus(ctx, of, v1alpha1.NomadNodeStatus{Phase: v1alpha1.NodeDraining})
		},
		"the VM, halted": func(ctx context.Context, s *fixture, of *scope) error {
			return s.haltVM(ctx, of, member.Decision{}, &member.Outcome{})
		},
		"the VM, started": func(ctx context.Context, s *fixture, of *scope) error {
			return s.startVM(ctx, of, member.Decision{}, &member.Outcome{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := haltedForQuota()
			of := s.observed(t)
			for _, o := range []client.Object{s.node(t), s.vm(t)} {
				o.SetLabels(map[string]string{"a": "b"})
				if err := s.Client.Update(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			if err := write(t.Context(), s, of); !apierrors.IsConflict(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// resends is a Nomad that resends drains.
type resends struct{ *nomadStub }

func (r resends) Get(nomad.Connection) nomad.Cluster { return r }

func (r resends) ResendDrain(context.Context, string, nomad.DrainOptions) error {
	r.called("resend")
	return nil
}

// A stalled drain is resent once, which is written down, and not by what a stale cache says.
func TestStalledDrainIsResentOnce(t *testing.T) {
	system := alloc
	system.JobType = "system"
	stalled := nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: &nomad.Drain{Status: nomad.DrainDraining,
		DrainID: "request-1", OnTimeout: nomad.TimeoutForce}}
	s := leavingWith(stalled, stalled, func(n *v1alpha1.NomadNode) {
		n.Status.Nomad.OnlySystemTime = &metav1.Time{Time: now.Add(-time.Minute)}
	})
	s.nomad.allocs.Live[testNodeID] = []nomad.Allocation{system}
	s.Connections.Clusters = resends{s.nomad}
	s.stale(t)
	if s.reconcile(t); slices.Contains(s.nomad.calls, "resend") {
		t.Error("resent by what a stale cache says")
	}
	s.Live = s.Client
	for range 3 {
		s.reconcile(t)
	}
	if got := s.node(t).Status.ResentDrain; got != "request-1" || strings.Count(strings.Join(s.nomad.calls, " "), "resend") != 1 {
		t.Errorf("asked to %q, resent %q", s.nomad.calls, got)
	}
}

// Nomad's leader knows better than the view what is to be done for a drain request.
func TestLeaderKnowsBetter(t *testing.T) {
	ineligible, eligible := nomad.Node{Status: nomad.NodeReady}, nomad.Node{Status: nomad.NodeReady, Eligible: true}
	sent := nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: &nomad.Drain{DrainID: "request-1"}}
	others := nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: &nomad.Drain{}}
	onlyIfEmpty := func(n *v1alpha1.NomadNode) { n.Spec.Drain.OnlyIf = v1alpha1.Empty }
	for name, c := range map[string]struct {
		view, leader nomad.Node
		change       func(*v1alpha1.NomadNode)
		calls        string
		cordoned     string
	}{
		"the node is another's by now":                             {ineligible, nomad.Node{Name: "x", Status: nomad.NodeReady}, onlyIfEmpty, "inspect", ""},
		"it is eligible by now, which is written before the drain": {ineligible, eligible, asIs, "inspect drain", "request-1"},
		"it was ineligible before":                                 {ineligible, ineligible, asIs, "inspect drain", ""},
		"canceled, and somebody else drains it by now": {sent, others, func(n *v1alpha1.NomadNode) {
			n.Spec.Drain.Cancel(now.Add(-time.Minute))
			n.Status.CordonedDrain = "request-1"
		}, "inspect", "request-1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := leavingWith(c.view, c.leader, c.change)
			s.reconcile(t)
			if calls := strings.Join(s.nomad.calls, " "); calls != c.calls || s.node(t).Status.CordonedDrain != c.cordoned {
				t.Errorf("asked to %q, ineligible for %q", calls, s.node(t).Status.CordonedDrain)
			}
		})
	}
}

// A drain leaves a node alone that an operator has made eligible, unless it is written down that it was made ineligible
// for the request.
func TestDrainOfANodeThatWasIneligible(t *testing.T) {
	for cordoned, want := range map[string]bool{"": true, "request-1": false} {
		s := leavingWith(nomad.Node{}, nomad.Node{}, func(n *v1alpha1.NomadNode) { n.Status.CordonedDrain = cordoned })
		if got := drainRequest(s.observed(t)).OnlyIneligible; got != want {
			t.Errorf("ineligible for %q: %t", cordoned, got)
		}
	}
}

// Requests to Nomad may take seconds, so that the NomadNode is read once more after them.
func TestNomadNodeIsReadAgainAfterARequestToNomad(t *testing.T) {
	s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
	of := s.observed(t)
	of.latest = true
	s.stale(t)
	if err := s.deleteVM(t.Context(), of, member.Decision{}, &member.Outcome{}); err != nil || s.vmGone(t) {
		t.Errorf("the VM is gone: %t, %v", s.vmGone(t), err)
	}
	s = notMade(0, "")
	of = s.observed(t)
	of.latest = true
	s.stale(t)
	if err := s.createSecret(t.Context(), of, member.Decision{}, &member.Outcome{}); err != nil || s.userData(t) != "" {
		t.Errorf("a Secret was made, %v", err)
	}
}

// A guest may have registered since the node was found to be gone.
func TestNodeIsPurgedAgainAtTheEnd(t *testing.T) {
	s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
	of := s.observed(t)
	if err := s.release(t.Context(), of, member.Decision{Step: member.Release}, &member.Outcome{}); err != nil ||
		!slices.Contains(s.nomad.calls, "purge") {
		t.Errorf("asked to %q, %v", s.nomad.calls, err)
	}
}

// That the cache has no instance and no claims proves nothing of a member that leaves.
func TestWhatTheCacheLacksIsReadFromTheAPIServer(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c"}}
	s := drained(nomad.Health{State: nomad.HealthReachable}, func(*v1alpha1.NomadNode) []client.Object { return []client.Object{claim} })
	if err := s.Client.Delete(t.Context(), s.vm(t)); err != nil {
		t.Fatal(err)
	}
	s.cacheShows(func(key client.ObjectKey, o client.Object) (bool, error) {
		switch o.(type) {
		case *kubevirtv1.VirtualMachineInstance, *corev1.PersistentVolumeClaim:
			return true, apierrors.NewNotFound(schema.GroupResource{}, key.Name)
		}
		return false, nil
	})
	if of := s.observed(t); of.vmi == nil || len(of.observed.Claims) != 1 {
		t.Errorf("observed %+v and %+v", of.observed.Instance, of.observed.Claims)
	}
}

// Of several nodes that say that they are the member's guest one that has work counts, and without an answer it isn't
// known if one has.
func TestWhichOtherNodeCounts(t *testing.T) {
	node := nomad.Node{Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"}
	s := underOther(node, asIs)
	idle, busy := nomad.Inspection{Found: true, Node: node}, nomad.Inspection{Found: true, Node: node, Live: []nomad.Allocation{alloc}}
	logs := nomad.Inspection{Found: true, Node: node, Live: []nomad.Allocation{alloc}}
	logs.Live[0].JobType = "system"
	idle.Node.ID, busy.Node.ID, logs.Node.ID = "1", "3", "2"
	for want, others := range map[string][]nomad.Inspection{
		"1": {idle}, "2": {idle, logs}, "3": {idle, logs, busy},
	} {
		s.nomad.others = others
		of := s.observed(t)
		of.node.Spec.ScaleIn.Drain.IgnoreSystemJobs = true
		var ids []string
		for _, o := range others {
			ids = append(ids, o.Node.ID)
		}
		if got, err := s.inspectOthers(t.Context(), of, ids); err != nil || got == nil || got.ID != want {
			t.Errorf("of %v it is %+v, %v", ids, got, err)
		}
	}
	s.nomad.refuses = nomad.ErrUnreachable
	if of := s.observed(t); of.observed.Nomad.Known || of.observed.Nomad.Why == "" {
		t.Errorf("%+v", of.observed.Nomad)
	}
}
