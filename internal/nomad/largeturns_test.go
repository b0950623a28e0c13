package nomad

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// largeAnswer is an answer that needs a turn.
var largeAnswer = `[{"ClientStatus":"running","TaskGroup":"g","Job":{"Payload":"` + strings.Repeat("x", 1<<20) +
	`","TaskGroups":[{"Name":"g","ShutdownDelay":7}]}}]`

// Who has a turn gives it back, however the request ends, and who has none waits no longer than its request may.
func TestLargeAnswersTakeTurns(t *testing.T) {
	for range 3 {
		c := answering(t, saying(largeAnswer)).(*cluster)
		if d, err := c.StopTime(t.Context(), nodeA); err != nil || d != 7 || !c.shared.large.TryAcquire(largeAtOnce) {
			t.Errorf("got %s, %v", d, err)
		}
		c = answering(t, saying(largeAnswer[:1<<20])).(*cluster)
		if _, err := c.StopTime(t.Context(), nodeA); err == nil || !c.shared.large.TryAcquire(largeAtOnce) {
			t.Error("half an answer is believed, or keeps its turn")
		}
	}
	c := answering(t, saying(largeAnswer)).(*cluster)
	if err := c.shared.large.Acquire(t.Context(), largeAtOnce); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StopTime(t.Context(), nodeA); !errors.Is(err, ErrUnreachable) || Cause(err) != "no answer in time" {
		t.Errorf("got %v", err)
	}
}

// Servers that send large answers slowly, as many at a time and as often as they like, don't keep all turns.
func TestSlowLargeAnswersLoseTheirTurns(t *testing.T) {
	clusters := NewClusters(Options{})
	trickle := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, largeAnswer[:1<<20])
		for r.Context().Err() == nil {
			time.Sleep(50 * time.Millisecond)
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
	at := func(serve http.HandlerFunc) *cluster {
		server := httptest.NewServer(serve)
		t.Cleanup(server.Close)
		return clusters.Get(Connection{Address: server.URL}).(*cluster)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var hostile sync.WaitGroup
	var slow *cluster
	for range largeAtOnce {
		c := at(trickle)
		slow = c
		for range jobsAtATime { // a poll asks for so many at the same time
			hostile.Go(func() {
				for ctx.Err() == nil {
					if _, err := c.remote.stopTime(ctx, nodeA); err == nil {
						t.Error("it is believed")
					}
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
	}
	healthy := at(saying(largeAnswer))
	eventually(t, "all turns are taken", func() bool {
		free := clusters.shared.large.TryAcquire(1)
		if free {
			clusters.shared.large.Release(1)
		}
		return !free
	})
	for i, most := range []time.Duration{largeFor + 3*time.Second, 3 * time.Second, 3 * time.Second} {
		began := time.Now()
		d, err := healthy.remote.stopTime(t.Context(), nodeA)
		if took := time.Since(began); err != nil || d != 7 || took > most {
			t.Errorf("%d. after %s: %s, %v", i+1, took, d, err)
		}
	}
	_, err := slow.remote.stopTime(t.Context(), nodeA)
	if !errors.Is(err, ErrUnreachable) || Cause(err) != errLargeSlow.Error() {
		t.Errorf("got %v", err)
	}
	cancel()
	hostile.Wait()
	if !clusters.shared.large.TryAcquire(largeAtOnce) {
		t.Error("a turn wasn't given back")
	}
}
