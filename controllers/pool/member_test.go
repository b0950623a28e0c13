package pool

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// factMember is a member whose VM was made an hour ago; change alters it.
func factMember(change func(*v1alpha1.NomadNode)) *v1alpha1.NomadNode {
	made := metav1.NewTime(now.Add(-time.Hour))
	n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Name: "p-1", CreationTimestamp: made},
		Spec: v1alpha1.NomadNodeSpec{NodeID: fixtureNodeID, Revision: "r"}}
	n.Spec.Health.JoinTimeout.Duration = 10 * time.Minute
	n.Status.VM.UID, n.Status.VM.CreationTime = "vm", &made
	if change != nil {
		change(n)
	}
	return n
}

// linkTo is a way to a Nomad that has the member's node; nil: it has none.
func linkTo(node *nomad.Node) nomadlink.Link {
	l := nomadlink.Link{Known: true, View: nomad.View{Taken: now, Nodes: map[string]nomad.Node{}}}
	if node != nil {
		l.View.Nodes[fixtureNodeID] = *node
	}
	return l
}

func TestMemberThatIsSeenReadyHasJoined(t *testing.T) {
	for name, c := range map[string]struct {
		link            nomadlink.Link
		joined, expired bool
	}{
		"never seen":                    {linkTo(nil), false, true},
		"down":                          {linkTo(&nomad.Node{Status: nomad.NodeDown}), false, true},
		"elsewhere":                     {linkTo(&nomad.Node{Status: nomad.NodeReady, Eligible: true, NodePool: "x"}), false, true},
		"ready, not written down yet":   {linkTo(&nomad.Node{Status: nomad.NodeReady, Eligible: true}), true, false},
		"ready, and somebody drains it": {linkTo(&nomad.Node{Status: nomad.NodeReady, Draining: true}), true, false},
		"ready in a view that is unknown": {nomadlink.Link{View: linkTo(&nomad.Node{Status: nomad.NodeReady}).View}, false,
			true},
	} {
		t.Run(name, func(t *testing.T) {
			if m := memberFacts(factMember(nil), c.link, now); m.Joined != c.joined || m.JoinExpired != c.expired {
				t.Errorf("joined %t, expired %t", m.Joined, m.JoinExpired)
			}
		})
	}
}

// The Nomad that a member is in needn't be its pool's, so it is known of each member if that can be asked.
func TestMemberHasANomadOfItsOwn(t *testing.T) {
	l := linkTo(nil)
	l.View.RecoveredSince = now.Add(-time.Second)
	if m := memberFacts(factMember(nil), l, now); m.NomadUnknown || !m.NomadRecovered.Equal(l.View.RecoveredSince) {
		t.Errorf("unknown %t, recovered %s", m.NomadUnknown, m.NomadRecovered)
	}
	if l.Known = false; !memberFacts(factMember(nil), l, now).NomadUnknown {
		t.Error("it can't be asked")
	}
}

func TestOnlyANodeThatIsDownIsDown(t *testing.T) {
	for name, c := range map[string]struct {
		link nomadlink.Link
		want bool
	}{
		"down":                 {linkTo(&nomad.Node{Status: nomad.NodeDown}), true},
		"disconnected":         {linkTo(&nomad.Node{Status: nomad.NodeDisconnected}), false},
		"ineligible":           {linkTo(&nomad.Node{Status: nomad.NodeReady}), false},
		"unknown to Nomad":     {linkTo(nil), false},
		"Nomad can't be asked": {nomadlink.Link{View: linkTo(&nomad.Node{Status: nomad.NodeDown}).View}, false},
	} {
		if m := memberFacts(factMember(nil), c.link, now); m.Down != c.want {
			t.Errorf("%s: down is %t", name, m.Down)
		}
	}
}

func TestWhatBlocksAMember(t *testing.T) {
	unmade := func(n *v1alpha1.NomadNode) { n.Status.VM.UID, n.Status.VM.CreationTime = "", nil }
	for name, c := range map[string]struct {
		by     v1alpha1.BlockedCause
		reason string
		made   bool
		link   nomadlink.Link
		want   bool
	}{
		"nothing is known yet":           {"", "", false, linkTo(nil), false},
		"on its way":                     {"", v1alpha1.ReasonProvisioning, false, linkTo(nil), false},
		"made a moment ago":              {"", v1alpha1.ReasonVMStarting, false, linkTo(nil), false},
		"the template":                   {v1alpha1.BlockedByTemplate, v1alpha1.ReasonImageNotFound, false, linkTo(nil), true},
		"Nomad's token":                  {v1alpha1.BlockedByToken, v1alpha1.ReasonIntroductionToken, false, linkTo(nil), true},
		"whatever the server says":       {v1alpha1.BlockedByFailure, v1alpha1.ReasonCreateFailed, false, linkTo(nil), true},
		"an external VM":                 {v1alpha1.BlockedByName, v1alpha1.ReasonVMNameTaken, false, linkTo(nil), true},
		"what nobody has thought of yet": {"Meteorite", "Meteorite", false, linkTo(nil), true},
		"no capacity":                    {v1alpha1.BlockedByCapacity, v1alpha1.ReasonVMUnschedulable, true, linkTo(nil), true},
		"no capacity in the quota":       {v1alpha1.BlockedByCapacity, v1alpha1.ReasonVMAboveQuota, true, linkTo(nil), true},
		"no capacity, but it works":      {v1alpha1.BlockedByCapacity, v1alpha1.ReasonVMUnschedulable, true, linkTo(&nomad.Node{Status: nomad.NodeReady, Eligible: true}), false},
		"a VM that was stopped":          {v1alpha1.BlockedByHalt, v1alpha1.ReasonVMStopped, true, linkTo(nil), false},
		"a VM that fails":                {"", v1alpha1.ReasonVMFailed, true, linkTo(nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			n := factMember(nil)
			if !c.made {
				unmade(n)
			}
			n.Status.BlockedBy = c.by
			if c.reason != "" {
				n.Status.Conditions = []metav1.Condition{
					{Type: v1alpha1.NodeVMReady, Status: metav1.ConditionFalse, Reason: c.reason, Message: "m"}}
			}
			if m := memberFacts(n, c.link, now); (m.Blocked != nil) != c.want ||
				c.want && (m.Blocked.Reason != c.reason || m.Blocked.Message != "m") {
				t.Errorf("blocked: %+v", m.Blocked)
			}
		})
	}
}

// Nor does the pool count on it.
func TestExternalNodeIsNoReadyMember(t *testing.T) {
	for taken, want := range map[bool]bool{false: true, true: false} {
		n := factMember(func(n *v1alpha1.NomadNode) { n.Status.Nomad.IDTaken = taken })
		if m := memberFacts(n, linkTo(&nomad.Node{Status: nomad.NodeReady, Eligible: true}), now); m.Ready != want ||
			m.Joined != want {
			t.Errorf("taken %t: ready %t, joined %t", taken, m.Ready, m.Joined)
		}
	}
}
