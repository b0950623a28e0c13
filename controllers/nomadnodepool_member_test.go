package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// factMember is a member whose VM was made an hour ago; change alters it.
func factMember(change func(*v1alpha1.NomadNode)) *v1alpha1.NomadNode {
	made := metav1.NewTime(now.Add(-time.Hour))
	n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Name: "p-1", CreationTimestamp: made}, Spec: v1alpha1.NomadNodeSpec{NodeID: shellNodeID, Revision: "r"}}
	n.Spec.JoinTimeout.Duration = 10 * time.Minute
	n.Status.VM.UID, n.Status.VM.Created = "vm", &made
	if change != nil {
		change(n)
	}
	return n
}

// linkTo is a way to a Nomad that has the member's node; nil: it has none.
func linkTo(node *nomad.Node) Link {
	l := Link{Known: true, View: nomad.View{Taken: now, Nodes: map[string]nomad.Node{}}}
	if node != nil {
		l.View.Nodes[shellNodeID] = *node
	}
	return l
}

func TestMemberThatIsSeenReadyHasJoined(t *testing.T) {
	for name, c := range map[string]struct {
		link            Link
		joined, expired bool
	}{
		"never seen":                      {linkTo(nil), false, true},
		"down":                            {linkTo(&nomad.Node{Status: nomad.NodeDown}), false, true},
		"ready, not written down yet":     {linkTo(&nomad.Node{Status: nomad.NodeReady, Eligible: true}), true, false},
		"ready, and somebody drains it":   {linkTo(&nomad.Node{Status: nomad.NodeReady, Draining: true}), true, false},
		"ready in a view that is unknown": {Link{View: linkTo(&nomad.Node{Status: nomad.NodeReady}).View}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			if m := memberFacts(factMember(nil), c.link, now); m.Joined != c.joined || m.JoinExpired != c.expired {
				t.Errorf("joined %t, expired %t", m.Joined, m.JoinExpired)
			}
		})
	}
}
