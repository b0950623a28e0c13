package controllers

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/client-go/tools/events"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// The API server drops an Event that says too much, and the recorder tells nobody.
func TestEventsAreNotTooLong(t *testing.T) {
	for name, text := range map[string]string{
		"short":             "no",
		"just right":        strings.Repeat("x", 1024),
		"too long":          strings.Repeat("x", 1025),
		"in mid-character":  strings.Repeat("x", 1020) + strings.Repeat("é", 10),
		"in mid-character2": strings.Repeat("x", 1019) + strings.Repeat("é", 10),
	} {
		got := note(text)
		if len(got) > 1024 || !utf8.ValidString(got) || len(text) <= 1024 && got != text || len(text) > 1024 && (len(got) < 1020 || !strings.HasSuffix(got, "…")) {
			t.Errorf("%s: %d bytes, …%q", name, len(got), got[max(0, len(got)-8):])
		}
	}
	recorder := events.NewFakeRecorder(1)
	eventSink{recorder}.vmRefused(&v1alpha1.NomadNode{}, strings.Repeat("x", 2000))
	if e := <-recorder.Events; len(e) > 1024+len("Warning VMRefused ") {
		t.Errorf("%d bytes were sent", len(e))
	}
}

func TestDrainStartedSaysWhatNomadWasTold(t *testing.T) {
	for onTimeout, want := range map[v1alpha1.DrainTimeoutAction]string{
		v1alpha1.DrainForce:  "deadline 2026-11-23T12:15:00Z",
		v1alpha1.DrainRetain: "for as long as its allocations run",
	} {
		n := &v1alpha1.NomadNode{}
		n.Spec.DrainPolicy.OnTimeout = onTimeout
		n.Spec.Drain = newIntent("intent-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
		recorder := events.NewFakeRecorder(1)
		eventSink{recorder}.drainStarted(n)
		if e := <-recorder.Events; !strings.Contains(e, want) {
			t.Errorf("%s: %q", onTimeout, e)
		}
	}
}
