package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// testGate is the gate of a server that has answered promptly.
func testGate() (*gate, *clocktesting.FakePassiveClock) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	g := newGate(clock, newShared(), "a")
	g.prompt = true
	return g, clock
}

// entered has a call enter that sends a request.
func entered(t *testing.T, g *gate) (*turn, func(error)) {
	t.Helper()
	turn, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := turn.limited(t.Context(), time.Hour)
	_, ended := timed(ctx)
	return turn, func(err error) { ended(err); turn.leave(nil); cancel() }
}

// A server that doesn't answer holds a few workers, and those that come later return at once.
func TestGateBoundsThoseThatWait(t *testing.T) {
	g, clock := testGate()
	var ends []func(error)
	for range callsAtOnce {
		turn, end := entered(t, g)
		if ends = append(ends, end); turn.slow {
			t.Fatal("it counts as slow")
		}
	}
	if _, err := g.enter(t.Context()); !errors.Is(err, ErrUnreachable) || Cause(err) != busyText {
		t.Errorf("one too many: %v", err)
	}
	clock.SetTime(clock.Now().Add(promptly + 1)) // now it is known to be slow
	began := time.Now()
	if _, err := g.enter(t.Context()); err == nil || time.Since(began) > turnWait/2 {
		t.Errorf("it waited %s: %v", time.Since(began), err)
	}
	for _, end := range ends {
		end(nil)
	}
	turn, end := entered(t, g)
	if !turn.slow {
		t.Fatal("it doesn't count as slow")
	}
	if _, err := g.enter(t.Context()); err == nil {
		t.Error("a second one waits for a slow server")
	}
	clock.SetTime(clock.Now().Add(promptly + 1))
	end(nil)
	clock.SetTime(clock.Now().Add(slowFor))
	if turn, err := g.enter(t.Context()); err != nil || turn.slow {
		t.Errorf("a server that was slow a minute ago: %v", err)
	}
}

// The first call has all turns, until its answer has shown how prompt the server is.
func TestGateAwaitsTheFirstAnswer(t *testing.T) {
	g, _ := testGate()
	g.prompt = false
	_, first := entered(t, g)
	if _, err := g.enter(t.Context()); err == nil {
		t.Error("a second one is sent before the first was answered")
	}
	first(nil)
	for i := range callsAtOnce {
		if _, err := g.enter(t.Context()); err != nil {
			t.Errorf("%d: %v", i+1, err)
		}
	}
}

// What is measured is each request: a Nomad far away isn't slow because a call takes several.
func TestGateMeasuresRequests(t *testing.T) {
	for name, tc := range map[string]struct {
		requests []time.Duration
		err      error // of the last one
		prompt   bool
	}{
		"near":                           {[]time.Duration{10 * time.Millisecond, 10 * time.Millisecond}, nil, true},
		"refused":                        {[]time.Duration{time.Millisecond}, ErrUnreachable, true},
		"far":                            {slices.Repeat([]time.Duration{250 * time.Millisecond}, 14), nil, true},
		"one long request":               {[]time.Duration{900 * time.Millisecond}, nil, true},
		"a longer one":                   {[]time.Duration{1100 * time.Millisecond}, nil, false},
		"several long ones":              {[]time.Duration{600 * time.Millisecond, 600 * time.Millisecond}, nil, false},
		"very many":                      {slices.Repeat([]time.Duration{400 * time.Millisecond}, 11), nil, false},
		"cut off at the end of the call": {[]time.Duration{time.Millisecond}, context.DeadlineExceeded, false},
	} {
		g, clock := testGate()
		turn, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := turn.limited(t.Context(), time.Hour)
		for i, took := range tc.requests {
			_, ended := timed(ctx)
			clock.SetTime(clock.Now().Add(took))
			ended(map[bool]error{i == len(tc.requests)-1: tc.err}[true])
		}
		turn.leave(nil)
		cancel()
		if g.prompt != tc.prompt || g.slow() == tc.prompt {
			t.Errorf("%s: prompt %v, slow %v", name, g.prompt, g.slow())
		}
	}
}

// A server that has recovered is normal at once. One that is slow again soon after that isn't believed for a minute.
func TestAPromptAnswerClearsASlowServer(t *testing.T) {
	g, clock := testGate()
	call := func(took time.Duration) (slow bool) {
		t.Helper()
		turn, end := entered(t, g)
		clock.SetTime(clock.Now().Add(took))
		end(nil)
		return turn.slow
	}
	const prompt, late = 10 * time.Millisecond, 2 * time.Second
	for i, step := range []struct {
		pause, took time.Duration
		slow        bool
	}{
		{0, late, false}, {0, late, true}, {0, prompt, true}, {0, prompt, false}, // recovered
		{0, late, false}, {0, prompt, true}, {0, prompt, true}, // a relapse
		{slowFor, prompt, false}, {0, late, false}, {0, prompt, true}, {0, prompt, false}, // later
	} {
		clock.SetTime(clock.Now().Add(step.pause))
		if got := call(step.took); got != step.slow {
			t.Errorf("call %d: slow is %v", i+1, got)
		}
	}
}

// However many slow servers there are, together they hold no more than slowCallsAtOnce.
func TestSlowServersShareTheirTurns(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	shared, admitted := newShared(), 0
	for i := range 10 {
		g := newGate(clock, shared, fmt.Sprint(i))
		g.slowUntil = clock.Now().Add(slowFor)
		if _, err := g.enter(t.Context()); err == nil {
			admitted++
		}
	}
	if admitted != slowCallsAtOnce {
		t.Errorf("%d wait at once", admitted)
	}
	prompt := newGate(clock, shared, "another")
	if _, err := prompt.enter(t.Context()); err != nil {
		t.Errorf("a prompt server waits for slow ones: %v", err)
	}
}

// Nor do servers that are far hold all workers together, but each has more than one.
func TestFarServersShareTheirTurns(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	shared, admitted := newShared(), 0
	for i := range 10 {
		g := newGate(clock, shared, fmt.Sprint(i))
		_, end := entered(t, g)
		clock.SetTime(clock.Now().Add(nearly + 1))
		end(nil)
		for i := range callsAtOnce {
			if _, err := g.enter(t.Context()); err == nil {
				if admitted++; i >= farCallsEach {
					t.Errorf("%d at one server", i+1)
				}
			}
		}
	}
	if admitted != farCallsAtOnce {
		t.Errorf("%d wait at once", admitted)
	}
	if _, err := newGate(clock, shared, "another").enter(t.Context()); err != nil {
		t.Errorf("a server that isn't far waits for those that are: %v", err)
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
		if _, err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.enter(ctx); !errors.Is(err, context.Canceled) {
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
