package node

import (
	"context"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// leader is a Nomad whose leader takes drains as Nomad does. Its list of nodes, which may be older, is the stub's.
type leader struct {
	*nomadStub
	fixture *fixture
	node    nomad.Node
	asked   int
	sent    []time.Duration // the deadlines
}

func leads(s *fixture) *leader {
	l := &leader{nomadStub: s.nomad, fixture: s, node: s.nomad.view.Nodes[testNodeID]}
	s.Connections.Clusters = l
	return l
}

func (l *leader) Get(nomad.Connection) nomad.Cluster { return l }

func (l *leader) Drain(_ context.Context, _ string, o nomad.DrainOptions) (bool, error) {
	l.asked++
	if o.LeavesAlone(l.node) {
		return false, nomad.ErrNodeEligible
	}
	now := l.fixture.clock.Now()
	o, due := nomad.DrainToSend(l.node, o, now)
	if !due {
		return false, nil
	}
	deadline := o.Deadline()
	l.sent = append(l.sent, deadline)
	l.node.Draining, l.node.StopsNow, l.node.ForceDeadline = true, deadline < 0, time.Time{}
	if deadline > 0 {
		l.node.ForceDeadline = now.Add(deadline)
	}
	l.node.LastDrain = &nomad.Drain{Status: nomad.DrainDraining, DrainID: o.DrainID, OnTimeout: o.OnTimeout(),
		IgnoreSystemJobs: o.IgnoreSystemJobs, StartedAt: now, UpdatedAt: now}
	return true, nil
}

// shows has the list of nodes show what the leader has.
func (l *leader) shows() { l.view.Nodes[testNodeID] = l.node }

// cordoned is a member whose node is ineligible for its drain request, with an allocation, and whose drain wasn't sent.
func cordoned() *fixture {
	s := cordonedUntil(now.Add(14*time.Minute), nomad.Node{Status: nomad.NodeReady})
	s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: {alloc}}}
	return s
}

// runUntil reconciles whenever it is due, from a time after the beginning until another one, or until the member is
// drained.
func (s *fixture) runUntil(t *testing.T, from, until time.Duration) v1alpha1.DrainResult {
	t.Helper()
	for d := from; d <= until; {
		s.at(d)
		d += max(s.reconcile(t).RequeueAfter, time.Millisecond)
		if result := s.node(t).Status.DrainResult; result != "" {
			return result
		}
	}
	return ""
}

// Whoever sets the deadline to the time of the request ends the drain. Nomad, which was sent another one, stops what is
// left, and then the member goes.
func TestDeadlineThatIsBroughtForwardReachesNomad(t *testing.T) {
	s := cordoned()
	l := leads(s)
	s.reconcile(t)
	l.shows()
	s.at(2 * time.Minute)
	s.reconcile(t)
	n := s.node(t)
	n.Spec.Drain.DeadlineTime = n.Spec.Drain.RequestTime
	if err := s.Client.Update(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if got := s.runUntil(t, 2*time.Minute, 2*time.Minute+39*time.Second); got != "" {
		t.Errorf("it ended with %q before what is left had its time to stop", got)
	}
	if len(l.sent) != 2 || l.sent[0] != 14*time.Minute || l.sent[1] >= 0 {
		t.Errorf("drains were sent with %v", l.sent)
	}
	if got := s.runUntil(t, 2*time.Minute+39*time.Second, 2*time.Minute+45*time.Second); got != v1alpha1.DrainDeadlinePassed {
		t.Errorf("it ended with %q", got)
	}
}

// A drain that is to stop at once what is left is sent once, though Nomad's list doesn't show it yet.
func TestForcedDrainIsSentOnce(t *testing.T) {
	for name, was := range map[string]nomad.Drain{
		"Retain before":   {Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutRetain, StartedAt: now},
		"somebody else's": {Status: nomad.DrainDraining, StartedAt: now.Add(-time.Hour)},
		"system jobs before": {Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutForce,
			IgnoreSystemJobs: true, StartedAt: now},
		"ours": {Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutForce, StartedAt: now},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
			n := s.nomad.view.Nodes[testNodeID]
			n.LastDrain, n.ForceDeadline = &was, now.Add(time.Hour)
			s.nomad.view.Nodes[testNodeID], s.nomad.inside.Node = n, n
			l := leads(s)
			if got := s.runUntil(t, 14*time.Minute+20*time.Second, 14*time.Minute+55*time.Second); got != "" {
				t.Errorf("it ended with %q", got)
			}
			if len(l.sent) != 1 || l.sent[0] >= 0 {
				t.Errorf("drains were sent with %v", l.sent)
			}
			if l.asked > 6 {
				t.Errorf("Nomad was asked %d times", l.asked)
			}
		})
	}
}

// An operator had made the node ineligible before. What Nomad has already isn't asked for again and again.
func TestDrainOfANodeThatWasIneligibleIsAskedForOnce(t *testing.T) {
	s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
	l := leads(s)
	l.node.StopsNow = true
	s.runUntil(t, 14*time.Minute, 16*time.Minute)
	if l.asked != 1 || len(l.sent) > 0 {
		t.Errorf("Nomad was asked %d times, and %v was sent", l.asked, l.sent)
	}
}

// A drain that is complete may have left something running. Nomad is asked to stop it if its leader says so as well.
func TestWhatACompleteDrainHasLeftIsStopped(t *testing.T) {
	runs := alloc
	runs.JobType, runs.ClientStatus, runs.DesiredStatus = "system", "running", "run"
	stops, fails := runs, runs
	stops.DesiredStatus = "stop"
	fails.ClientStatus = "failed"
	for name, c := range map[string]struct {
		listed, leads []nomad.Allocation
		sent          int
		after         time.Duration // the deadline
	}{
		"it runs":                            {[]nomad.Allocation{runs}, []nomad.Allocation{runs}, 1, 50 * time.Second},
		"it is being stopped":                {[]nomad.Allocation{stops}, []nomad.Allocation{stops}, 0, 40 * time.Second},
		"the leader says so":                 {[]nomad.Allocation{runs}, []nomad.Allocation{stops}, 0, 50 * time.Second},
		"the leader has none":                {[]nomad.Allocation{runs}, nil, 0, 50 * time.Second},
		"only the leader has one":            {nil, []nomad.Allocation{runs}, 1, 50 * time.Second},
		"its last task runs after a failure": {[]nomad.Allocation{fails}, []nomad.Allocation{fails}, 0, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, c.listed...)
			s.drainEnds()
			s.nomad.inside = nomad.Inspection{Found: true, Node: s.nomad.view.Nodes[testNodeID], Live: c.leads}
			l := leads(s)
			if got := s.runUntil(t, 14*time.Minute, 14*time.Minute+c.after-2*time.Second); got != "" {
				t.Errorf("it ended with %q before its time", got)
			}
			got := s.runUntil(t, 14*time.Minute+c.after-2*time.Second, 14*time.Minute+c.after+time.Second)
			if got != v1alpha1.DrainDeadlinePassed {
				t.Errorf("it ended with %q", got)
			}
			if len(l.sent) != c.sent || c.sent > 0 && l.sent[0] >= 0 {
				t.Errorf("drains were sent with %v", l.sent)
			}
		})
	}
}

// cordoning is a leader that also takes cordons.
type cordoning struct{ *leader }

func (c cordoning) Get(nomad.Connection) nomad.Cluster { return c }

func (c cordoning) Cordon(context.Context, string) error { c.node.Eligible = false; return nil }

// An operator had made the node ineligible, and now cancels our drain and makes it eligible, which the list doesn't
// show yet. Nothing is sent, and nothing was accepted.
func TestNothingSentIsNothingAccepted(t *testing.T) {
	s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
	s.nomad.view.Nodes[testNodeID].LastDrain.OnTimeout = nomad.TimeoutForce
	l := leads(s)
	s.Connections.Clusters = cordoning{l}
	last := *l.node.LastDrain
	last.Status = nomad.DrainCanceled
	l.node.Draining, l.node.Eligible, l.node.LastDrain = false, true, &last
	s.at(14*time.Minute + 10*time.Second)
	s.reconcile(t) // by the list it runs on
	for d := 14*time.Minute + 11*time.Second; d < 20*time.Minute; d += time.Second {
		l.shows()
		s.nomad.inside.Node = l.node
		s.at(d)
		s.reconcile(t)
		if got := s.node(t).Status.DrainResult; got != "" {
			if len(l.sent) == 0 {
				t.Errorf("%s: it ended with %q, and Nomad was never asked to stop what is left", d, got)
			}
			return
		}
	}
	t.Error("it doesn't end")
}

// An operator had made the node ineligible, and Nomad has all that is asked for. Its list is older.
func TestWhatNomadHasIsNotAskedForAllTheTime(t *testing.T) {
	retain := &nomad.Drain{Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutRetain, StartedAt: now}
	others := &nomad.Drain{Status: nomad.DrainDraining, StartedAt: now.Add(-time.Hour)}
	for name, c := range map[string]struct {
		last     *nomad.Drain
		draining bool
		from     time.Duration
	}{
		"policy changed, before the deadline": {retain, true, time.Minute},
		"somebody else's, at the deadline":    {others, true, 14 * time.Minute},
		"drain not listed yet":                {nil, false, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
			l := leads(s)
			l.node.StopsNow = true
			s.nomad.inside.Node = l.node
			n := s.nomad.view.Nodes[testNodeID]
			n.LastDrain, n.Draining = c.last, c.draining
			s.nomad.view.Nodes[testNodeID] = n
			s.runUntil(t, c.from, c.from+30*time.Second)
			if l.asked > 10 || len(l.sent) > 0 {
				t.Errorf("in 30 s Nomad was asked %d times, and %v was sent", l.asked, l.sent)
			}
		})
	}
}

// By the list the node is empty, by the leader a poststop task runs, and Nomad keeps the drain open.
func TestPoststopUnderAnOpenDrainHoldsNoMember(t *testing.T) {
	for name, last := range map[string]*nomad.Drain{
		"ours":            {Status: nomad.DrainDraining, DrainID: "request-1", OnTimeout: nomad.TimeoutForce, StartedAt: now},
		"somebody else's": {Status: nomad.DrainDraining, StartedAt: now.Add(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true})
			n := s.nomad.view.Nodes[testNodeID]
			n.LastDrain = last
			s.nomad.view.Nodes[testNodeID] = n
			cleans := alloc
			cleans.ClientStatus = "failed"
			s.nomad.inside = nomad.Inspection{Found: true, Node: n, Live: []nomad.Allocation{cleans}}
			l := leads(s)
			for d := time.Duration(0); d < 2*time.Hour; d += 10 * time.Second {
				s.at(d)
				s.reconcile(t)
				if got := s.node(t).Status.DrainResult; got != "" {
					t.Logf("%s: %q, %v sent", d, got, l.sent)
					return
				}
			}
			t.Errorf("it is held for two hours; Nomad was asked %d times to stop what is left", l.asked)
		})
	}
}

// A drain request that was extended once isn't extended again because ignoreSystemJobs changes.
func TestChangeOfPolicyExtendsNothing(t *testing.T) {
	for name, change := range map[string]func(n *v1alpha1.NomadNode){
		"nothing":          func(*v1alpha1.NomadNode) {},
		"ignoreSystemJobs": func(n *v1alpha1.NomadNode) { n.Spec.ScaleIn.Drain.IgnoreSystemJobs = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := cordoned()
			s.reconcile(t) // accepted, and never shown
			for d := 15 * time.Second; d <= 13*time.Minute+50*time.Second; d += 15 * time.Second {
				s.at(d)
				s.reconcile(t)
			}
			if got := s.node(t).Spec.Drain.DeadlineTime.Time; !got.Equal(now.Add(14 * time.Minute)) {
				t.Fatalf("extended to %s", got)
			}
			n := s.node(t)
			change(n)
			if err := s.Client.Update(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			s.at(13*time.Minute + 52*time.Second)
			s.reconcile(t)
			if got := s.node(t).Spec.Drain.DeadlineTime.Time; !got.Equal(now.Add(14 * time.Minute)) {
				t.Errorf("its drain was accepted in time, and it is extended to %s", got)
			}
		})
	}
}

// busy is a Nomad that is slow: all turns are others' for a while.
type busy struct {
	*leader
	until time.Duration
	tries int
}

func (b *busy) Get(nomad.Connection) nomad.Cluster { return b }

func (b *busy) Drain(ctx context.Context, id string, o nomad.DrainOptions) (bool, error) {
	b.tries++
	if b.fixture.clock.Now().Before(now.Add(b.until)) {
		return false, &nomad.BusyError{}
	}
	return b.leader.Drain(ctx, id, o)
}

// Who waits for a turn at a slow Nomad hasn't asked it yet, and Nomad has refused nothing.
func TestWaitingForATurnIsNoRefusal(t *testing.T) {
	s := emptied(nomad.Node{Status: nomad.NodeReady, Draining: true}, alloc)
	l := &busy{leader: leads(s), until: 14*time.Minute + time.Minute}
	l.node.ForceDeadline = now.Add(time.Hour)
	s.Connections.Clusters = l
	if got := s.runUntil(t, 14*time.Minute, 15*time.Minute+30*time.Second); got != "" {
		t.Errorf("it ended with %q after %d tries for a turn; sent: %v", got, l.tries, l.sent)
	}
	if len(l.sent) != 1 {
		t.Errorf("sent: %v", l.sent)
	}
}
