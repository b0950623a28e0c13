package node

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// emptied is a member whose drain Nomad has, with an allocation.
func emptied(node nomad.Node, live ...nomad.Allocation) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-time.Minute),
			now.Add(14*time.Minute))
		n.Spec.ScaleIn.Drain.OnTimeout = v1alpha1.DrainForce
		node.LastDrain = &nomad.Drain{Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutForce,
			StartedAt: now}
		s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: live}}
		return running(n, s, node)
	})
}

// at moves the clock to d after the start. Nomad answers.
func (s *fixture) at(d time.Duration) {
	s.clock.SetTime(now.Add(d))
	s.nomad.view.Taken, s.nomad.allocs.Started = s.clock.Now(), s.clock.Now()
}

// drainEnds has Nomad say that the drain is complete, as it does at its deadline whatever runs.
func (s *fixture) drainEnds() {
	ended := s.nomad.view.Nodes[testNodeID]
	ended.Draining, ended.LastDrain.Status = false, nomad.DrainComplete
	s.nomad.view.Nodes[testNodeID] = ended
}

// The time that tasks were promised is recorded while Nomad reports it, and only grows. It stays when Nomad doesn't
// report it any more.
func TestPromisedTimeToStopIsRecorded(t *testing.T) {
	s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
	written := func() time.Duration {
		if d := s.node(t).Status.Nomad.StopTime; d != nil {
			return d.Duration
		}
		return 0
	}
	s.nomad.mute = true
	s.reconcile(t)
	if got := written(); got != 0 {
		t.Errorf("Nomad didn't report it, and %s is written", got)
	}
	s.nomad.mute, s.nomad.stops = false, 10*time.Minute
	s.reconcile(t)
	if got := written(); got != 10*time.Minute {
		t.Errorf("%s is written", got)
	}
	s.nomad.stops = time.Minute
	s.at(14 * time.Minute)
	s.drainEnds()
	s.reconcile(t)
	if got := written(); got != 10*time.Minute {
		t.Errorf("%s is written, once less is left", got)
	}
	s.nomad.mute = true
	s.at(24 * time.Minute)
	if res := s.reconcile(t); res.RequeueAfter != 10*time.Second ||
		nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted).Status == metav1.ConditionTrue {
		t.Errorf("reconciles again after %s: %+v", res.RequeueAfter,
			nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted))
	}
	s.at(24*time.Minute + 10*time.Second)
	s.reconcile(t)
	if d := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted); d.Reason != v1alpha1.ReasonDeadline {
		t.Errorf("%+v", d)
	}
}

// No allocation can fetch data from a node that is down.
func TestDataOfADownNodeIsNotWaitedFor(t *testing.T) {
	moving := alloc
	moving.ClientStatus, moving.MovingTo = "complete", "5e6f7a8b-0000"
	for status, want := range map[string]bool{nomad.NodeReady: false, nomad.NodeDown: true} {
		s := emptied(nomad.Node{Status: status, Draining: true}, moving)
		s.reconcile(t)
		if got := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted).Status == metav1.ConditionTrue; got != want {
			t.Errorf("%s: drained %t", status, got)
		}
	}
}

// Since when what is left has its time to stop is written as soon as it is checked after the deadline, and a server that
// reports another time at each poll doesn't move it.
func TestTimeOfForceIsWrittenOnce(t *testing.T) {
	s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
	reports := func(after time.Duration) {
		s.at(14*time.Minute + after)
		s.nomad.view.Nodes[testNodeID].LastDrain.UpdatedAt = s.clock.Now()
		s.reconcile(t)
	}
	reports(-time.Second)
	if got := s.node(t).Status.Nomad.ForcedTime; got != nil {
		t.Errorf("%s is written before the deadline", got)
	}
	s.drainEnds()
	for _, after := range []time.Duration{3 * time.Second, 20 * time.Second, 42 * time.Second} {
		reports(after)
		st := s.node(t).Status
		if got, want := st.Nomad.ForcedTime, now.Add(14*time.Minute+3*time.Second); got == nil || !got.Time.Equal(want) {
			t.Errorf("%s after the deadline %s is written", after, got)
		}
		if st.DrainResult != "" {
			t.Errorf("drained %s after the deadline", after)
		}
	}
	reports(43 * time.Second)
	if got := s.node(t).Status.DrainResult; got != v1alpha1.DrainDeadlinePassed {
		t.Errorf("the drain ended with %q", got)
	}
}

// Who changes a drain in Nomad's UI sets another deadline, and leaves it marked as ours. At ours Nomad stops what is left,
// which then has its time.
func TestDrainWithAnotherDeadlineIsForcedAtOurs(t *testing.T) {
	for after, want := range map[time.Duration]struct {
		drains int
		result v1alpha1.DrainResult
	}{0: {}, 9 * time.Second: {}, 10 * time.Second: {drains: 1}, 49 * time.Second: {drains: 1},
		50 * time.Second: {1, v1alpha1.DrainDeadlinePassed}} {
		t.Run(after.String(), func(t *testing.T) {
			s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
			for d := time.Duration(0); d <= after; d += time.Second {
				s.at(14*time.Minute + d)
				s.reconcile(t)
			}
			drains := 0
			for _, call := range s.nomad.calls {
				if call == "drain" {
					drains++
				}
			}
			if got := s.node(t).Status.DrainResult; drains != want.drains || got != want.result {
				t.Errorf("%d drains were sent, and its drain ended with %q", drains, got)
			}
			for len(s.events.Events) > 0 {
				if e := s.event(); strings.Contains(e, "DrainStarted") {
					t.Errorf("event %q", e)
				}
			}
		})
	}
}

// A job can hold a member no longer than its drain may take, by a poststop task that never ends either: Nomad's leader
// reports its allocation, and the list of those that run doesn't.
func TestCleaningUpHoldsNoMemberBeyondItsTime(t *testing.T) {
	s := emptied(nomad.Node{Status: nomad.NodeReady})
	s.nomad.view.Nodes[testNodeID].LastDrain.Status = nomad.DrainComplete
	cleans := alloc
	cleans.ClientStatus = "failed"
	node := s.nomad.view.Nodes[testNodeID]
	node.Name = "p-1"
	s.nomad.inside = nomad.Inspection{Found: true, Node: node, Live: []nomad.Allocation{cleans}}
	for _, c := range []struct {
		after time.Duration
		want  v1alpha1.DrainResult
	}{{0, ""}, {13 * time.Minute, ""}, {14*time.Minute + 30*time.Second, ""}, {16 * time.Minute, v1alpha1.DrainDeadlinePassed}} {
		s.at(c.after)
		s.reconcile(t)
		if got := s.node(t).Status.DrainResult; got != c.want {
			t.Errorf("after %s: %q", c.after, got)
		}
	}
}
