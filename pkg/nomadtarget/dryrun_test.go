package nomadtarget

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	eventsv1 "k8s.io/api/events/v1"
)

// dry is a dry run that would set count.
func dry(count int64, policy string) sdk.ScalingAction {
	action := to(count)
	action.Meta = map[string]any{metaPolicyID: policy}
	action.SetDryRun()
	return action
}

const noEvent = "POST /apis/events.k8s.io/v1/namespaces/default/events"

// Without the right to make Events, which is the default, a dry run is logged, and nothing else is said of it.
func TestDryRunOnlyLogs(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, logs := newConfiguredTarget(t, server)
	for range 3 {
		if err := target.Scale(dry(7, "p-1"), workers); err != nil {
			t.Fatal(err)
		}
		target.background.Wait()
	}
	if got := server.pool().DesiredReplicas(); got != 3 || !slices.Equal(server.writes(), []string{noEvent}) {
		t.Errorf("replicas = %d, writes = %v; want 3, and one attempt of an Event", got, server.writes())
	}
	if len(logs.lines(`"@level":"info"`, "dry run", `"pool":"default/workers"`, `"would_be":7`, `"policy":"p-1"`)) != 3 {
		t.Errorf("log:\n%s", logs)
	}
	if len(logs.lines("config/autoscaler/events_role_binding.yaml")) != 1 || len(logs.lines(`"@level":"warn"`)) != 0 ||
		len(logs.lines(`"@level":"error"`)) != 0 {
		t.Errorf("the missing right isn't told once, at DEBUG:\n%s", logs)
	}
	server.Close()
	if err := target.Scale(dry(8, "p-1"), workers); err != nil {
		t.Errorf("dry run with the server down = %v", err)
	}
	target.background.Wait()
	unconfigured, _ := newTestTarget(t)
	if err := unconfigured.Scale(dry(8, "p-1"), workers); err != nil {
		t.Errorf("dry run before SetConfig = %v", err)
	}
	target.client.Store(&panicking)
	if err := target.Scale(dry(9, "p-1"), workers); err != nil {
		t.Errorf("dry run with a client that panics = %v", err)
	}
	target.background.Wait()
}

// With the right, each number that a policy comes to is one Event, and so is each policy's.
func TestDryRunLeavesAnEventOnceForEachChange(t *testing.T) {
	server := newAPIServer(t, complete(3))
	server.takesEvents = true
	target, logs := newConfiguredTarget(t, server)
	for _, action := range []sdk.ScalingAction{dry(7, "p-1"), dry(7, "p-1"), dry(8, "p-1"), dry(8, "p-1"), dry(7, "p-1"),
		dry(7, "p-2"), dry(7, "p-1"), dry(3, "p-2")} {
		if err := target.Scale(action, workers); err != nil {
			t.Fatal(err)
		}
		target.background.Wait()
	}
	const why = ", but is a dry run: scaling up because factor is 1.5"
	var notes []string
	for _, e := range server.events {
		notes = append(notes, e.Note)
	}
	if want := []string{
		"The Nomad Autoscaler's policy p-1 would set replicas 3 -> 7" + why,
		"The Nomad Autoscaler's policy p-1 would set replicas 3 -> 8" + why,
		"The Nomad Autoscaler's policy p-1 would set replicas 3 -> 7" + why,
		"The Nomad Autoscaler's policy p-2 would set replicas 3 -> 7" + why,
		"The Nomad Autoscaler's policy p-2 would leave replicas at 3" + why,
	}; !slices.Equal(notes, want) {
		t.Errorf("Events:\n%s\nwant:\n%s\nlog:\n%s", strings.Join(notes, "\n"), strings.Join(want, "\n"), logs)
	}
	if got := server.pool().DesiredReplicas(); got != 3 {
		t.Errorf("replicas = %d", got)
	}
}

// An agent whose account was given the right later needs no restart, and one whose API server hangs isn't held up.
func TestDryRunTriesItsEventAgain(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, _ := newConfiguredTarget(t, server)
	clock := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	target.now = func() time.Time { return clock }
	scale := func(after time.Duration, attempts, events int) {
		t.Helper()
		clock = clock.Add(after)
		if err := target.Scale(dry(7, "p-1"), workers); err != nil {
			t.Fatal(err)
		}
		target.background.Wait()
		if got := len(server.writes()); got != attempts || len(server.events) != events {
			t.Errorf("%d attempts, %d Events; want %d, %d", got, len(server.events), attempts, events)
		}
	}
	scale(0, 1, 0)
	scale(eventRetry-time.Second, 1, 0)
	scale(time.Second, 2, 0)
	server.takesEvents = true
	scale(eventRetry, 3, 1)
	scale(eventRetry, 3, 1)

	release := make(chan struct{})
	server.mu.Lock()
	server.before = func(http.ResponseWriter, *http.Request) bool { <-release; return false }
	server.mu.Unlock()
	if err := target.Scale(dry(9, "p-1"), workers); err != nil {
		t.Fatal(err) // and it has returned
	}
	close(release)
	target.background.Wait()
}

// The API server refuses what is too long or isn't UTF-8.
func TestDryRunEventFits(t *testing.T) {
	for _, reason := range []string{"", strings.Repeat("é", 2000), "a\xff\nb"} {
		action := dry(7, "p-1")
		action.Reason = reason
		e := dryRunEvent(complete(3), action, 7, eventsv1.Event{}.EventTime)
		if len(e.Note) > maxNote || !utf8.ValidString(e.Note) || len(e.ReportingInstance) > maxInstance {
			t.Errorf("%d bytes: %q by %q", len(e.Note), e.Note, e.ReportingInstance)
		}
	}
}
