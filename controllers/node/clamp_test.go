package node

import (
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/record"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// long is more than a condition may hold, as a proxy's page or an overlay with a hundred faults is.
var longText = strings.Repeat("Wörter ", 6000)

func TestMemberSaysInItsStatusWhatTheServerTakes(t *testing.T) {
	s := newMemberShell(func(n *v1alpha1.NomadNode, s *memberShell) []client.Object {
		n.Spec.Drain = record.NewIntent("intent-1", v1alpha1.DrainScaleIn, now, now.Add(1))
		busy := alloc
		busy.Name, busy.ID = longText, "äöüäöü"
		s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{shellNodeID: {busy, busy, busy}}}
		return running(n, s, nomad.Node{Name: "p-1", Status: longText, Draining: true, LastDrain: &nomad.Drain{IntentID: "intent-1"}})
	})
	s.reconcile(t)
	st := s.node(t).Status
	for _, c := range st.Conditions {
		takes(t, c.Type, c.Message, kube.MaxMessage)
	}
	takes(t, "the node's status", st.Nomad.Status, kube.MaxWord)
	if len(st.Nomad.Blocking) != 3 {
		t.Errorf("blocking: %d", len(st.Nomad.Blocking))
	}
	for _, b := range st.Nomad.Blocking {
		takes(t, "what blocks", b, kube.MaxWord)
	}
	changed := &scope{node: s.node(t), observed: member.Observed{Now: now}}
	setStatus(changed, member.Decision{Conditions: map[string]member.Condition{v1alpha1.NodeReady: {Status: "False", Reason: "R", Message: longText}}})
	takes(t, "a member's condition", record.Condition(changed.node, v1alpha1.NodeReady).Message, kube.MaxMessage)
}

func takes(t *testing.T, what, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) {
		t.Errorf("%s has %d bytes, valid: %t", what, len(text), utf8.ValidString(text))
	}
}
