package controllers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestClampKeepsWholeCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"short": "short", "exactly 10": "exactly 10", "more than ten": "more th…", "äöüäöüäöü": "äöü…", "a\xffb": "a\uFFFDb",
	} {
		if got := clamp(text, 10); got != want || !utf8.ValidString(got) {
			t.Errorf("%q of %q", got, text)
		}
	}
}

// long is more than a condition may hold, as a proxy's page or an overlay with a hundred faults is.
var long = strings.Repeat("Wörter ", 6000)

func TestPoolSaysInItsStatusWhatTheServerTakes(t *testing.T) {
	p := &v1alpha1.NomadNodePool{}
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: v1alpha1.AutoscalerFieldManager + "/" + long, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}}
	s := &poolScope{pool: p, scale: lastScale(p, now)}
	s.snapshot = pool.Snapshot{Now: now, NomadReason: v1alpha1.ReasonUnreachable, NomadMessage: long}
	setPoolStatus(s, pool.Plan{})
	if !strings.Contains(p.Status.LastScale.Reason, "Wörter") {
		t.Errorf("the reason is %.100q", p.Status.LastScale.Reason)
	}
	for _, c := range p.Status.Conditions {
		fits(t, c.Type, c.Message, maxMessage)
	}
	fits(t, "the reason of the last scaling", p.Status.LastScale.Reason, maxNote)
	if c := p.Status.Conditions; len(c) != len(v1alpha1.PoolConditions) {
		t.Errorf("%d conditions", len(c))
	}
}

func TestMemberSaysInItsStatusWhatTheServerTakes(t *testing.T) {
	s := newMemberShell(func(n *v1alpha1.NomadNode, s *memberShell) []client.Object {
		n.Spec.Drain = newIntent("intent-1", v1alpha1.DrainScaleIn, now, now.Add(1))
		busy := alloc
		busy.Name, busy.ID = long, "äöüäöü"
		s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{shellNodeID: {busy, busy, busy}}}
		return running(n, s, nomad.Node{Name: "p-1", Status: long, Draining: true, LastDrain: &nomad.Drain{IntentID: "intent-1"}})
	})
	s.reconcile(t)
	st := s.node(t).Status
	for _, c := range st.Conditions {
		fits(t, c.Type, c.Message, maxMessage)
	}
	fits(t, "the node's status", st.Nomad.Status, maxWord)
	if len(st.Nomad.Blocking) != 3 {
		t.Errorf("blocking: %d", len(st.Nomad.Blocking))
	}
	for _, b := range st.Nomad.Blocking {
		fits(t, "what blocks", b, maxWord)
	}
	changed := &nodeScope{node: s.node(t), observed: member.Observed{Now: now}}
	setNodeStatus(changed, member.Decision{Conditions: map[string]member.Condition{v1alpha1.NodeReady: {Status: "False", Reason: "R", Message: long}}})
	fits(t, "a member's condition", condition(changed.node, v1alpha1.NodeReady).Message, maxMessage)
}

func fits(t *testing.T, what, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) {
		t.Errorf("%s has %d bytes, valid: %t", what, len(text), utf8.ValidString(text))
	}
}

// No condition is written past setCondition.
func TestConditionsAreSetInOnePlace(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file != "clamp.go" && file != "clamp_test.go" && strings.Contains(string(text), "meta.SetStatusCondition(") && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s sets a condition itself", file)
		}
	}
}
