package nomad

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/utils/clock"
)

// The reconcilers' workers are shared by all pools, and a request holds one until its server answers. These bound how
// many of them one server holds, and for how long. A server that answers lists and hangs on the rest is held to the
// same: the watchers' own requests take no worker and aren't counted.
const (
	// callsAtOnce is how many requests of workers a connection has at once, if its server has answered the one before
	// promptly, and otherwise it has one. Further ones wait for turnWait.
	callsAtOnce = 4
	turnWait    = 100 * time.Millisecond
	// promptly is how soon an answer comes from a server that isn't slow, and promptTimeout how long one is waited for. A
	// server that took longer than promptly counts as slow for slowFor.
	promptly      = time.Second
	promptTimeout = 2 * time.Second
	slowFor       = time.Minute
	// slowCallsAtOnce is how many requests there are at once to all slow servers together, and one to each. These have
	// all the time that a request has otherwise.
	slowCallsAtOnce = 3
)

// gate admits the requests of workers to one cluster.
type gate struct {
	clock clock.PassiveClock
	turns *semaphore.Weighted
	// slowTurns are shared by all clusters.
	slowTurns *semaphore.Weighted

	mu        sync.Mutex
	calls     map[int]time.Time // since when each is under way
	number    int
	prompt    bool // so was the latest answer
	slowUntil time.Time
	retries   retries
}

func newGate(c clock.PassiveClock, slowTurns *semaphore.Weighted) *gate {
	return &gate{clock: c, turns: semaphore.NewWeighted(callsAtOnce), slowTurns: slowTurns, calls: map[int]time.Time{}}
}

// enter waits for a turn, for a moment only. It returns how long the caller may wait for an answer, 0 for as long as it
// likes, and what to call then. A BusyError has when to try again.
func (g *gate) enter(ctx context.Context) (patient time.Duration, leave func(), err error) {
	if g.slow() {
		return g.enterSlow()
	}
	waiting, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	turns, err := g.awaitTurn(waiting)
	if err != nil {
		if ctx.Err() != nil {
			return 0, nil, ctx.Err()
		}
		return 0, nil, g.busy()
	}
	number := g.begin()
	return promptTimeout, func() { g.end(number); g.turns.Release(turns) }, nil
}

// awaitTurn takes all turns for the first request, whose answer shows how prompt the server is, and gives back all but
// one if that is known by then.
func (g *gate) awaitTurn(ctx context.Context) (turns int64, err error) {
	if g.isPrompt() {
		return 1, g.turns.Acquire(ctx, 1)
	}
	if err := g.turns.Acquire(ctx, callsAtOnce); err != nil {
		return 0, err
	}
	if g.isPrompt() {
		g.turns.Release(callsAtOnce - 1)
		return 1, nil
	}
	return callsAtOnce, nil
}

func (g *gate) isPrompt() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.prompt
}

func (g *gate) enterSlow() (time.Duration, func(), error) {
	if !g.slowTurns.TryAcquire(1) {
		return 0, nil, g.busy()
	}
	number, alone := g.beginAlone()
	if !alone {
		g.slowTurns.Release(1)
		return 0, nil, g.busy()
	}
	return 0, func() { g.end(number); g.slowTurns.Release(1) }, nil
}

// slow is true if the server took long for an answer a short time ago, or has taken long for one that isn't there yet.
func (g *gate) slow() bool {
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	late := func(began time.Time) bool { return now.Sub(began) > promptly }
	return now.Before(g.slowUntil) || slices.ContainsFunc(slices.Collect(maps.Values(g.calls)), late)
}

func (g *gate) begin() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admit()
}

func (g *gate) beginAlone() (number int, alone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.calls) > 0 {
		return 0, false
	}
	return g.admit(), true
}

// admit is called with the lock held.
func (g *gate) admit() int {
	g.number++
	g.calls[g.number] = g.clock.Now()
	return g.number
}

func (g *gate) end(number int) {
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.prompt = now.Sub(g.calls[number]) <= promptly; !g.prompt {
		g.slowUntil = now.Add(slowFor)
	}
	delete(g.calls, number)
}

func (g *gate) busy() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &BusyError{after: g.retries.next(g.clock.Now())}
}
