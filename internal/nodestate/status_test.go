package nodestate

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestWhatAStatusSays(t *testing.T) {
	at := metav1.NewTime(noon)
	with := func(change func(*v1alpha1.NomadNode)) Node {
		n := &v1alpha1.NomadNode{}
		change(n)
		return Of(n)
	}
	if is := with(func(*v1alpha1.NomadNode) {}); is.Joined || is.VMMade || is.Ready || is.Drained || !is.Purge ||
		!is.ReadySince.IsZero() || is.Blocked() != nil {
		t.Errorf("nothing is written yet: %+v", is)
	}
	if is := with(func(n *v1alpha1.NomadNode) { n.Status.JoinedTime = &at }); !is.Joined || !is.JoinedAt.Equal(noon) {
		t.Errorf("joined: %+v", is)
	}
	if is := with(func(n *v1alpha1.NomadNode) { n.Status.VM.UID = "vm" }); !is.VMMade {
		t.Errorf("its VM is made: %+v", is)
	}
	for status, want := range map[metav1.ConditionStatus]bool{metav1.ConditionTrue: true, metav1.ConditionFalse: false} {
		ready := with(func(n *v1alpha1.NomadNode) {
			n.Status.Conditions = []metav1.Condition{{Type: v1alpha1.NodeReady, Status: status, LastTransitionTime: at}}
		})
		if ready.Ready != want || ready.ReadySince.Equal(noon) != want {
			t.Errorf("Ready is %s: %+v", status, ready)
		}
		drained := with(func(n *v1alpha1.NomadNode) {
			n.Status.DrainResult = v1alpha1.DrainEmpty
			n.Status.Conditions = []metav1.Condition{{Type: v1alpha1.NodeDrainCompleted, Status: status}}
		})
		if drained.Drained != want || (drained.DrainResult == v1alpha1.DrainEmpty) != want {
			t.Errorf("DrainCompleted is %s: %+v", status, drained)
		}
	}
}

// What blocks a member is said by the condition that is about it.
func TestWordsOfWhatBlocks(t *testing.T) {
	r := Node{LastConditions: map[string]metav1.Condition{v1alpha1.NodeVMReady: {Reason: "OfItsVM"},
		v1alpha1.NodeJoined: {Reason: "OfItsJoining"}}}
	for by, want := range map[v1alpha1.BlockedCause]string{
		v1alpha1.BlockedByAdmission: "OfItsVM", v1alpha1.BlockedByOtherNode: "OfItsJoining",
	} {
		r.BlockedBy = by
		if got := r.Blocked().Reason; got != want {
			t.Errorf("%s: %s, want %s", by, got, want)
		}
	}
}

func TestWhoLeaves(t *testing.T) {
	drain := func(canceled bool) *v1alpha1.DrainRequest {
		return &v1alpha1.DrainRequest{ID: "id", Canceled: canceled}
	}
	for name, c := range map[string]struct {
		r                            Node
		leaving, emptying, requested bool
	}{
		"wanted":                           {Node{}, false, false, false},
		"deleted":                          {Node{DeletedAt: noon}, true, true, false},
		"requested":                        {Node{Drain: drain(false)}, true, true, true},
		"canceled":                         {Node{Drain: drain(true)}, false, false, false},
		"canceled too late":                {Node{Drain: drain(true), Drained: true}, true, false, false},
		"drained":                          {Node{Drain: drain(false), Drained: true}, true, false, false},
		"drained, and its request is gone": {Node{Drained: true}, false, false, false},
		"deleted and drained":              {Node{DeletedAt: noon, Drained: true}, true, false, false},
	} {
		leaving, emptying, requested := c.r.Leaving(), c.r.Emptying(), State{Node: c.r}.DrainRequested()
		if leaving != c.leaving || emptying != c.emptying || requested != c.requested {
			t.Errorf("%s: leaves %t, is emptied %t, drain requested %t", name, leaving, emptying, requested)
		}
	}
}

func TestForWhichRequestANodeIsIneligible(t *testing.T) {
	drain := &v1alpha1.DrainRequest{ID: "id"}
	for name, c := range map[string]struct {
		r    Node
		want bool
	}{
		"this one":        {Node{Drain: drain, CordonedFor: "id"}, true},
		"an earlier one":  {Node{Drain: drain, CordonedFor: "former"}, false},
		"none is there":   {Node{CordonedFor: "id"}, false},
		"somebody else's": {Node{Drain: drain}, false},
		"nobody wants it": {Node{}, false},
	} {
		if got := c.r.Cordoned(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// The guest of a VM that somebody has deleted stops in any case.
func TestWhatHappensAtTheDeadline(t *testing.T) {
	for _, c := range []struct {
		policy v1alpha1.DrainTimeoutAction
		reason v1alpha1.DrainReason
		want   v1alpha1.DrainTimeoutAction
	}{
		{v1alpha1.DrainRetain, v1alpha1.DrainScaleIn, v1alpha1.DrainRetain},
		{v1alpha1.DrainRetain, v1alpha1.DrainVMDeleted, v1alpha1.DrainForce},
		{v1alpha1.DrainForce, v1alpha1.DrainScaleIn, v1alpha1.DrainForce},
		{v1alpha1.DrainForce, v1alpha1.DrainVMDeleted, v1alpha1.DrainForce},
	} {
		r := Node{Policy: v1alpha1.DrainPolicy{OnTimeout: c.policy}, Drain: &v1alpha1.DrainRequest{Reason: c.reason}}
		if got := r.DrainOnTimeout(); got != c.want {
			t.Errorf("%s, %s: %s", c.policy, c.reason, got)
		}
	}
}

func TestTimeToJoin(t *testing.T) {
	made := Node{VMMade: true, Created: noon, JoinTimeout: time.Minute}
	with := func(change func(*Node)) Node {
		r := made
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		r    Node
		want time.Duration // until it is over; 0: it doesn't run
	}{
		"its VM was made":              {made, time.Minute},
		"it got capacity later":        {with(func(r *Node) { r.CapacityAvailableTime = noon.Add(time.Hour) }), 61 * time.Minute},
		"it got capacity at once":      {with(func(r *Node) { r.CapacityAvailableTime = noon }), time.Minute},
		"its VM isn't made":            {with(func(r *Node) { r.VMMade = false }), 0},
		"it has joined":                {with(func(r *Node) { r.Joined = true }), 0},
		"it lacks capacity":            {with(func(r *Node) { r.BlockedBy = v1alpha1.BlockedByCapacity }), 0},
		"something else is said of it": {with(func(r *Node) { r.BlockedBy = v1alpha1.BlockedByHalt }), time.Minute},
	} {
		end := noon.Add(c.want)
		if c.want > 0 && (c.r.JoinExpired(end.Add(-1)) || !c.r.JoinExpired(end) || !c.r.JoinDeadline().Equal(end)) ||
			c.want == 0 && c.r.JoinExpired(noon.Add(100*time.Hour)) {
			t.Errorf("%s: until %s", name, c.r.JoinDeadline())
		}
	}
}
