package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const otherID = "bbbbbbbb-0000-4000-8000-000000000002"

// underOther is a member whose time to join is up, beside a Nomad node of another ID.
func underOther(other nomad.Node, change func(*v1alpha1.NomadNode)) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := running(n, s, nomad.Node{})
		n.Status.JoinedTime = nil
		n.Status.VM.Address = "10.0.0.7"
		other.ID, other.Eligible = otherID, true
		s.nomad.view.Nodes = map[string]nomad.Node{otherID: {ID: otherID, Name: other.Name, Status: other.Status,
			Address: other.Address}}
		s.nomad.inside = nomad.Inspection{Found: true, Node: other, Live: []nomad.Allocation{alloc}}
		change(n)
		return objects
	})
}

// A guest that has registered under another ID is found by the member's name, or by its VM's address, and its meta.
func TestGuestUnderAnotherIDIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		other nomad.Node
		calls string
		found bool
	}{
		"by its name":            {nomad.Node{Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"}, "inspect", true},
		"by its address":         {nomad.Node{Name: "x", Status: nomad.NodeReady, Address: "10.0.0.7", PoolUID: "u", Member: "p-1"}, "inspect", true},
		"disconnected":           {nomad.Node{Name: "p-1", Status: nomad.NodeDisconnected, PoolUID: "u", Member: "p-1"}, "inspect", true},
		"down":                   {nomad.Node{Name: "p-1", Status: nomad.NodeDown, PoolUID: "u", Member: "p-1"}, "", false},
		"of another pool":        {nomad.Node{Name: "p-1", Status: nomad.NodeReady, PoolUID: "v", Member: "p-1"}, "inspect", false},
		"of another member":      {nomad.Node{Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-2"}, "inspect", false},
		"of neither":             {nomad.Node{Name: "x", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"}, "", false},
		"without meta of a pool": {nomad.Node{Name: "p-1", Status: nomad.NodeReady}, "inspect", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := underOther(c.other, asIs)
			s.reconcile(t)
			n := s.node(t)
			joined := nodestate.Condition(n, v1alpha1.NodeJoined)
			if got := joined.Reason == v1alpha1.ReasonNodeIDDiffers; got != c.found {
				t.Errorf("%+v", joined)
			}
			if got := n.Status.BlockedBy == v1alpha1.BlockedByOtherNode; got != c.found {
				t.Errorf("blocked by %q", n.Status.BlockedBy)
			}
			if got := strings.Join(s.nomad.calls, " "); got != c.calls {
				t.Errorf("asked to %q", got)
			}
			if e := s.event(); strings.Contains(e, "NodeIDDiffers") != c.found {
				t.Errorf("Event %q", e)
			}
		})
	}
}

// A member whose time isn't nearly up costs no request.
func TestGuestThatHasTimeIsNotLookedFor(t *testing.T) {
	s := underOther(nomad.Node{Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"},
		func(n *v1alpha1.NomadNode) {
			n.Status.VM.CapacityAvailableTime = &metav1.Time{Time: now.Add(-time.Minute)}
		})
	if s.reconcile(t); len(s.nomad.calls) > 0 {
		t.Errorf("asked to %q", s.nomad.calls)
	}
}

// Its VM isn't deleted as that of a member that never joined, even if the pool has asked it to leave.
func TestLeavingGuestUnderAnotherIDIsWaitedFor(t *testing.T) {
	for name, status := range map[string]error{"Nomad answers": nil, "Nomad doesn't answer that": nomad.ErrUnreachable} {
		t.Run(name, func(t *testing.T) {
			s := underOther(nomad.Node{Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"},
				func(n *v1alpha1.NomadNode) {
					n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainJoinTimeout, now, now.Add(15*time.Minute))
				})
			s.nomad.refuses = status
			s.reconcile(t)
			n := s.node(t)
			if d := nodestate.Condition(n, v1alpha1.NodeDrainCompleted); d.Status == metav1.ConditionTrue || n.Status.DrainResult != "" {
				t.Errorf("drained: %+v", d)
			}
		})
	}
}

// What the guest of a drained member has got under another ID since is waited for before its VM is deleted, whatever
// the view shows; an answer that is missing isn't one that nothing is there.
func TestVMOfAGuestUnderAnotherIDStaysWhileItHasWork(t *testing.T) {
	other := func(change func(*nomad.Inspection)) []nomad.Inspection {
		in := nomad.Inspection{Found: true, Live: []nomad.Allocation{alloc},
			Node: nomad.Node{ID: otherID, Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"}}
		change(&in)
		return []nomad.Inspection{in}
	}
	absent, down := nomad.Inspection{}, nomad.Inspection{Found: true, Node: nomad.Node{Name: "p-1", Status: nomad.NodeDown}}
	for name, c := range map[string]struct {
		member, other nomad.Inspection
		hides         error
		goes          bool
	}{
		"it has work":                   {member: absent, other: other(asItIs)[0]},
		"it has work, its node is down": {member: down, other: other(asItIs)[0]},
		"Nomad doesn't list them":       {member: absent, hides: nomad.ErrUnreachable},
		"it has none":                   {member: absent, other: other(func(in *nomad.Inspection) { in.Live = nil })[0], goes: true},
		"its node lives": {member: nomad.Inspection{Found: true, Node: nomad.Node{Name: "p-1", Status: nomad.NodeReady}},
			other: other(asItIs)[0], goes: true},
		"it is another's": {member: absent, other: other(func(in *nomad.Inspection) { in.Node.Member = "p-2" })[0], goes: true},
		"it is down":      {member: absent, other: other(func(in *nomad.Inspection) { in.Node.Status = nomad.NodeDown })[0], goes: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
			s.nomad.view.Nodes = nil
			s.nomad.inside, s.nomad.hides, s.nomad.others = c.member, c.hides, []nomad.Inspection{c.other}
			for range 4 {
				if _, err := s.Reconcile(t.Context(), request); err != nil && c.hides == nil {
					t.Fatal(err)
				}
			}
			if got := s.vmGone(t); got != c.goes {
				t.Errorf("the VM is gone: %t, Nomad was asked to %q", got, s.nomad.calls)
			}
			if reopened := s.node(t).Spec.Drain.ID == "request-2"; reopened != (!c.goes && c.hides == nil) {
				t.Errorf("drained once more: %t", reopened)
			}
		})
	}
}

// Nor is it marked as drained while Nomad's leader shows such work and the view doesn't yet.
func TestGuestUnderAnotherIDThatIsNotListedYetIsNotDrained(t *testing.T) {
	s := underOther(nomad.Node{Name: "p-1", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"},
		func(n *v1alpha1.NomadNode) {
			n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainJoinTimeout, now, now.Add(15*time.Minute))
		})
	s.nomad.others, s.nomad.inside = []nomad.Inspection{s.nomad.inside}, nomad.Inspection{}
	s.nomad.view.Nodes = nil
	s.reconcile(t)
	n := s.node(t)
	if d := nodestate.Condition(n, v1alpha1.NodeDrainCompleted); n.Status.DrainResult != "" ||
		d.Reason != v1alpha1.ReasonWaitingForAllocations || !strings.Contains(d.Message, otherID) {
		t.Errorf("%+v", d)
	}
	s.nomad.hides = nomad.ErrUnreachable
	if _, err := s.Reconcile(t.Context(), request); err == nil || s.node(t).Status.DrainResult != "" {
		t.Errorf("without an answer: %v, drained as %q", err, s.node(t).Status.DrainResult)
	}
}

func asItIs(*nomad.Inspection) {}

// Whoever may register clients can have any number say that they are a member. Few are looked at; that there are more
// holds the member's VM until the time of its drain is over, and no longer.
func TestManyNodesThatSayTheyAreAMemberHoldItForItsTime(t *testing.T) {
	many := func(s *fixture) {
		for i := range maxOthers + 1 {
			id := fmt.Sprintf("cccccccc-0000-4000-8000-%012d", i)
			s.nomad.others = append(s.nomad.others, nomad.Inspection{Found: true,
				Node: nomad.Node{ID: id, Name: "x", Status: nomad.NodeReady, PoolUID: "u", Member: "p-1"}})
		}
	}
	for name, c := range map[string]struct {
		deadline  time.Duration // from now
		onTimeout v1alpha1.DrainTimeoutAction
		goes      bool
	}{
		"before the deadline":           {time.Minute, v1alpha1.DrainForce, false},
		"after it":                      {-time.Hour, v1alpha1.DrainForce, true},
		"after it, and it's to be kept": {-time.Hour, v1alpha1.DrainRetain, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := drained(nomad.Health{State: nomad.HealthReachable}, func(n *v1alpha1.NomadNode) []client.Object {
				n.Spec.Drain.DeadlineTime = metav1.NewTime(now.Add(c.deadline))
				n.Spec.ScaleIn.Drain.OnTimeout = c.onTimeout
				return nil
			})
			s.nomad.view.Nodes, s.nomad.inside = nil, nomad.Inspection{}
			many(s)
			for range 4 {
				if _, err := s.Reconcile(t.Context(), request); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.vmGone(t); got != c.goes {
				t.Errorf("the VM is gone: %t, Nomad was asked to %q", got, s.nomad.calls)
			}
			if asked := strings.Count(strings.Join(s.nomad.calls, " "), "inspect"); asked > 4 {
				t.Errorf("Nomad was asked to %q", s.nomad.calls)
			}
		})
	}
}
