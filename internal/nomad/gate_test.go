package nomad

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
	clocktesting "k8s.io/utils/clock/testing"
)

// testGate is the gate of a server that has answered promptly.
func testGate() (*gate, *clocktesting.FakePassiveClock) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	g := newGate(clock, semaphore.NewWeighted(slowCallsAtOnce))
	g.prompt = true
	return g, clock
}

// A server that doesn't answer holds a few workers, and those that come later return at once.
func TestGateBoundsThoseThatWait(t *testing.T) {
	g, clock := testGate()
	var leaves []func()
	for range callsAtOnce {
		patient, leave, err := g.enter(t.Context())
		if err != nil || patient != promptTimeout {
			t.Fatalf("promptTimeout %s, %v", patient, err)
		}
		leaves = append(leaves, leave)
	}
	if _, _, err := g.enter(t.Context()); !errors.Is(err, ErrUnreachable) || Cause(err) != busyText {
		t.Errorf("one too many: %v", err)
	}
	clock.SetTime(clock.Now().Add(promptly + 1)) // now it is known to be slow
	began := time.Now()
	if _, _, err := g.enter(t.Context()); err == nil || time.Since(began) > turnWait/2 {
		t.Errorf("it waited %s: %v", time.Since(began), err)
	}
	for _, leave := range leaves {
		leave()
	}
	patient, leave, err := g.enter(t.Context())
	if err != nil || patient != 0 {
		t.Fatalf("a slow server has %s: %v", patient, err)
	}
	if _, _, err := g.enter(t.Context()); err == nil {
		t.Error("a second one waits for a slow server")
	}
	leave()
	clock.SetTime(clock.Now().Add(slowFor))
	if patient, _, err := g.enter(t.Context()); err != nil || patient != promptTimeout {
		t.Errorf("a server that is prompt again has %s: %v", patient, err)
	}
}

// The first request has all turns, until its answer has shown how prompt the server is.
func TestGateAwaitsTheFirstAnswer(t *testing.T) {
	g, _ := testGate()
	g.prompt = false
	_, first, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.enter(t.Context()); err == nil {
		t.Error("a second one is sent before the first was answered")
	}
	first()
	for i := range callsAtOnce {
		if _, _, err := g.enter(t.Context()); err != nil {
			t.Errorf("%d: %v", i+1, err)
		}
	}
}

// However many slow servers there are, together they hold no more than slowCallsAtOnce.
func TestSlowServersShareTheirTurns(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	shared, admitted := semaphore.NewWeighted(slowCallsAtOnce), 0
	for range 10 {
		g := newGate(clock, shared)
		g.slowUntil = clock.Now().Add(slowFor)
		if _, _, err := g.enter(t.Context()); err == nil {
			admitted++
		}
	}
	if admitted != slowCallsAtOnce {
		t.Errorf("%d wait at once", admitted)
	}
	prompt := newGate(clock, shared)
	if _, _, err := prompt.enter(t.Context()); err != nil {
		t.Errorf("a prompt server waits for slow ones: %v", err)
	}
}

// Those who are refused come back one after the other.
func TestRetriesAreSpread(t *testing.T) {
	var r retries
	now, before := time.Unix(1e9, 0), time.Duration(0)
	for i := range 2000 {
		after := r.next(now)
		if after < retryFirst || after > retryLast || after < before || i < 100 && i > 0 && after-before != retryEach {
			t.Fatalf("the %d. comes back after %s, the one before after %s", i, after, before)
		}
		before = after
	}
	if after := r.next(now.Add(time.Hour)); after != retryFirst {
		t.Errorf("an hour later it is %s", after)
	}
}

// A worker whose caller gives up isn't told to come back.
func TestGateEndsWithItsCaller(t *testing.T) {
	g, _ := testGate()
	for range callsAtOnce {
		if _, _, err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := g.enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// hanging is a server that answers lists and the check of the token, and hangs on the rest.
func hanging(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/nodes":
			_, _ = w.Write([]byte("[]"))
		case strings.HasPrefix(r.URL.Path, "/v1/acl/token"):
			http.Error(w, "ACL support disabled", http.StatusBadRequest)
		default:
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// The workers that a hanging server holds: one at first, and one at a time later.
func TestAHangingServerHoldsFewWorkers(t *testing.T) {
	c := NewClusters(Options{RequestTimeout: time.Second}).Get(Connection{Address: hanging(t).URL})
	const members = 20
	block := func(longest time.Duration) (waited int) {
		var workers sync.WaitGroup
		var n atomic.Int64
		for range members {
			workers.Go(func() {
				began := time.Now()
				if _, err := c.Inspect(t.Context(), nodeA); !errors.Is(err, ErrUnreachable) {
					t.Errorf("got %v", err)
				}
				took := time.Since(began)
				if took > longest {
					t.Errorf("a worker was blocked for %s", took)
				}
				if took > 2*turnWait {
					n.Add(1)
				}
			})
		}
		workers.Wait()
		return int(n.Load())
	}
	if n := block(promptTimeout + 2*time.Second); n != 1 {
		t.Errorf("%d waited for an answer", n)
	}
	if n := block(4 * time.Second); n != 1 {
		t.Errorf("%d waited for an answer once the server was known to be slow", n)
	}
}
