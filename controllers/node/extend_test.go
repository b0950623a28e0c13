package node

import (
	"context"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// timed is a Nomad that keeps what drains were sent with.
type timed struct {
	*nomadStub
	sent nomad.DrainOptions
}

func (d *timed) Get(nomad.Connection) nomad.Cluster { return d }

func (d *timed) Drain(ctx context.Context, nodeID string, o nomad.DrainOptions) (bool, error) {
	d.sent = o
	return d.nomadStub.Drain(ctx, nodeID, o)
}

// cordonedUntil has a member of which the node is made ineligible for a drain that ends then.
func cordonedUntil(deadline time.Time, node nomad.Node) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, deadline.Add(-15*time.Minute), deadline)
		n.Status.CordonedDrain = "request-1"
		return running(n, s, node)
	})
}

// A drain that couldn't be sent until its deadline had passed gets a new one, which is written before it is sent. A
// drain that was sent in time, as Nomad's leader knows, doesn't.
func TestLateDrainIsExtendedBeforeItIsSent(t *testing.T) {
	for name, c := range map[string]struct {
		inside nomad.Inspection
		calls  string
		sent   time.Duration
		event  string
	}{
		"never sent": {nomad.Inspection{Found: true, Node: nomad.Node{Name: "p-1", Status: nomad.NodeReady}},
			"inspect drain", 15*time.Minute + time.Second, "DrainExtended"},
		"sent, as the leader knows": {nomad.Inspection{Found: true, Node: nomad.Node{Name: "p-1", Status: nomad.NodeReady,
			Draining: true, LastDrain: &nomad.Drain{DrainID: "request-1"}}}, "inspect", 0, ""},
		"gone, as the leader knows": {nomad.Inspection{}, "inspect", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			deadline := now.Add(-time.Hour)
			s := cordonedUntil(deadline, nomad.Node{Status: nomad.NodeReady})
			s.nomad.inside = c.inside
			cluster := &timed{nomadStub: s.nomad}
			s.Connections.Clusters = cluster
			res := s.reconcile(t)
			if calls := strings.Join(s.nomad.calls, " "); calls != c.calls || cluster.sent.Remaining != c.sent {
				t.Errorf("Nomad was asked to %q, with %s", calls, cluster.sent.Remaining)
			}
			moved := s.node(t).Spec.Drain.DeadlineTime.Sub(now)
			if e := s.event(); c.event != "" && (moved != c.sent || !strings.Contains(e, c.event)) {
				t.Errorf("it has %s, event %q", moved, e)
			}
			if c.event == "" && (moved != -time.Hour || res.RequeueAfter != viewRetry) {
				t.Errorf("it has %s, reconciles again after %s", moved, res.RequeueAfter)
			}
		})
	}
}

// Nor is the VM of a member whose node Nomad doesn't know deleted as soon as a Nomad can be asked that was away until
// the deadline had passed: its guest joins again.
func TestMemberThatNomadHasForgottenGetsTimeAfterAnOutage(t *testing.T) {
	deadline := now.Add(-time.Hour)
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, deadline.Add(-15*time.Minute), deadline)
		return running(n, s, nomad.Node{Status: nomad.NodeReady})
	})
	s.nomad.view.Nodes, s.nomad.inside, s.nomad.view.RecoveredSince = nil, nomad.Inspection{}, now
	s.reconcile(t)
	n := s.node(t)
	if left := n.Spec.Drain.DeadlineTime.Sub(now); left != 15*time.Minute+time.Second || n.Status.DrainResult != "" {
		t.Errorf("it has %s, drained as %q", left, n.Status.DrainResult)
	}
	if e := s.event(); !strings.Contains(e, "DrainExtended") {
		t.Errorf("event %q", e)
	}
	for _, at := range []time.Duration{0, 15 * time.Minute} {
		s.clock.SetTime(now.Add(at))
		s.nomad.view.Taken = s.clock.Now()
		if s.reconcile(t); s.node(t).Status.DrainResult != "" {
			t.Errorf("drained after %s", at)
		}
	}
	s.clock.SetTime(now.Add(17 * time.Minute))
	s.nomad.view.Taken = s.clock.Now()
	if s.reconcile(t); s.node(t).Status.DrainResult != v1alpha1.DrainEmpty {
		t.Error("it is waited for after its time is over")
	}
	if calls := strings.Join(s.nomad.calls, " "); strings.Contains(calls, "drain") {
		t.Errorf("Nomad was asked to %q", calls)
	}
}

// So does one whose guest works under another ID while its own node is down, to which the drain was sent in time. Once:
// then the time that it was given counts.
func TestMemberThatWorksUnderAnotherIDGetsTimeAfterAnOutage(t *testing.T) {
	deadline := now.Add(time.Minute)
	other := nomad.Node{ID: otherID, Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"}
	s := cordonedUntil(deadline, nomad.Node{Status: nomad.NodeDown, LastDrain: &nomad.Drain{DrainID: "request-1"}})
	s.nomad.view.Nodes[otherID] = other
	s.nomad.others = []nomad.Inspection{{Found: true, Node: other, Live: []nomad.Allocation{alloc}}}
	s.nomad.view.RecoveredSince = now
	for range 3 {
		s.reconcile(t)
	}
	if left := s.node(t).Spec.Drain.DeadlineTime.Sub(now); left != 15*time.Minute+time.Second {
		t.Errorf("it has %s, and Nomad was asked to %q", left, s.nomad.calls)
	}
	s.clock.SetTime(now.Add(20 * time.Minute))
	s.nomad.view.Taken = s.clock.Now()
	if s.reconcile(t); s.node(t).Status.DrainResult != v1alpha1.DrainDeadlinePassed {
		t.Errorf("it is waited for after its time is over: %+v", s.node(t).Status)
	}
}

// A Nomad that is restored from a snapshot has forgotten the drains that it had accepted, those among them that were sent
// late. They get their time once more, and only once: whoever restores it each time doesn't hold the member for ever.
func TestLateDrainThatNomadForgetsIsExtendedOnceMore(t *testing.T) {
	deadline := now.Add(-time.Hour)
	s := cordonedUntil(deadline, nomad.Node{Status: nomad.NodeReady})
	s.nomad.inside = nomad.Inspection{Found: true, Node: nomad.Node{Name: "p-1", Status: nomad.NodeReady}}
	for i, want := range []bool{true, true, false} {
		s.reconcile(t)
		if got := s.node(t).Spec.Drain.DeadlineTime.After(s.clock.Now()); got != want {
			t.Errorf("restored %d times: extended %t", i, got)
		}
		s.clock.SetTime(s.clock.Now().Add(time.Hour))
		s.nomad.view.Taken, s.nomad.view.RecoveredSince = s.clock.Now(), s.clock.Now()
	}
}

// One that has no work under its other ID is drained as any member whose node is down: its deadline doesn't move if the
// drain was sent in time, as Nomad's leader knows.
func TestMemberThatIsIdleUnderAnotherIDIsntExtendedUnasked(t *testing.T) {
	deadline := now.Add(time.Minute)
	other := nomad.Node{ID: otherID, Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"}
	s := cordonedUntil(deadline, nomad.Node{Status: nomad.NodeDown})
	s.nomad.view.Nodes[otherID] = other
	s.nomad.others = []nomad.Inspection{{Found: true, Node: other}}
	s.nomad.inside = nomad.Inspection{Found: true, Node: nomad.Node{Name: "p-1", Status: nomad.NodeDown,
		LastDrain: &nomad.Drain{DrainID: "request-1", Status: nomad.DrainComplete}}}
	s.reconcile(t)
	if got := s.node(t).Spec.Drain.DeadlineTime; !got.Time.Equal(deadline) {
		t.Errorf("its deadline moved by %s, and Nomad was asked to %q", got.Sub(deadline), s.nomad.calls)
	}
}

// The time for which what runs there has been drained for somebody else counts, but not if that drain was canceled
// since it was seen: Nomad's leader knows.
func TestCanceledDrainOfOthersGivesNoTime(t *testing.T) {
	drains := func(is bool) nomad.Node {
		return nomad.Node{ID: testNodeID, Name: "p-1", Status: nomad.NodeReady, Draining: is,
			LastDrain: &nomad.Drain{Status: nomad.DrainDraining, StartedAt: now.Add(-time.Hour)}}
	}
	for name, c := range map[string]struct {
		leads nomad.Node
		calls string
	}{
		"it still runs":   {drains(true), "inspect drain"},
		"it was canceled": {drains(false), "inspect"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-16*time.Minute),
					now.Add(-time.Minute))
				n.Spec.ScaleIn.Drain.OnTimeout, n.Status.CordonedDrain = v1alpha1.DrainForce, "request-1"
				s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: {alloc}}}
				return running(n, s, drains(true))
			})
			s.nomad.inside = nomad.Inspection{Found: true, Node: c.leads}
			s.reconcile(t)
			if calls := strings.Join(s.nomad.calls, " "); calls != c.calls {
				t.Errorf("Nomad was asked to %q", calls)
			}
		})
	}
}
