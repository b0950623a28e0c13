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

// The reconcilers' workers are shared by all pools, and a call holds one until its server has answered. These bound how
// many of them one server holds, and for how long. A server that answers lists and hangs on the rest is held to the
// same: the watchers' own requests take no worker and aren't counted.
const (
	// callsAtOnce is how many calls of workers a connection has at once, if its server has answered the one before
	// promptly, and otherwise it has one. Further ones wait for turnWait.
	callsAtOnce = 4
	turnWait    = 100 * time.Millisecond
	// slowCallsAtOnce is how many calls there are at once to all slow servers together, and one to each. These have
	// all the time that a call has otherwise, and their turns one after the other.
	slowCallsAtOnce = 3
	// farCallsAtOnce is how many calls there are at once to all servers together that are far, and farCallsEach to each.
	// A server is far for slowFor after a call that took longer than nearly, though it wasn't slow. Those that are have
	// their turns one after the other.
	farCallsAtOnce, farCallsEach = 3, 2
	// slowFor is for how long a server counts as slow, unless a prompt answer shows that it has recovered. One that is
	// slow again within this time isn't taken for recovered so soon: it would hold workers again and again.
	slowFor = time.Minute
)

// gate admits the calls of workers to one cluster.
type gate struct {
	clock clock.PassiveClock
	turns *semaphore.Weighted
	// slowTurns and farTurns are shared by all clusters.
	slowTurns, farTurns *fairTurns
	// address is the server's, and reputations has what others need to know of it.
	address     string
	reputations *reputations

	mu     sync.Mutex
	calls  int               // under way
	asked  map[int]time.Time // since when each request of theirs is under way
	number int               // of the latest request
	prompt bool              // so was the latest call
	// What is known of the server, recovered is when a prompt answer last ended its being slow, and relapsed is true if
	// it was slow again soon after.
	reputation
	recovered time.Time
	relapsed  bool
	retries   retries
}

func newGate(c clock.PassiveClock, all shared, address string) *gate {
	return &gate{clock: c, turns: semaphore.NewWeighted(callsAtOnce), slowTurns: all.slowTurns, farTurns: all.farTurns,
		address: address, reputations: all.reputations, asked: map[int]time.Time{},
		reputation: all.reputations.of(address)}
}

// enter waits for a turn, for a moment only. A BusyError has when to try again.
func (g *gate) enter(ctx context.Context) (*turn, error) {
	if g.slow() {
		return g.enterSlow()
	}
	waiting, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	turns, err := g.awaitTurn(waiting)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, g.busy()
	}
	release := func() { g.turns.Release(turns) }
	g.mu.Lock()
	far := g.far()
	g.mu.Unlock()
	if far && !g.farTurns.take(g.address, g.clock.Now()) {
		release()
		return nil, g.busy()
	}
	if far {
		release = func() { g.turns.Release(turns); g.farTurns.giveBack() }
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admit(false, release), nil
}

// awaitTurn takes all turns for the first call, whose answer shows how prompt the server is, and gives back what is
// too many if that is known by then.
func (g *gate) awaitTurn(ctx context.Context) (turns int64, err error) {
	turns = g.each()
	if err := g.turns.Acquire(ctx, turns); err != nil {
		return 0, err
	}
	if now := g.each(); now < turns {
		g.turns.Release(turns - now)
		turns = now
	}
	return turns, nil
}

// each is how many turns a call takes.
func (g *gate) each() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.prompt:
		return callsAtOnce
	case g.far():
		return callsAtOnce / farCallsEach
	}
	return 1
}

// far is called with the lock held.
func (g *gate) far() bool { return g.clock.Now().Before(g.farUntil) }

func (g *gate) enterSlow() (*turn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	// One that isn't alone makes no claim: it couldn't use a turn.
	if alone := g.calls == 0; !alone || !g.slowTurns.take(g.address, now) {
		return nil, g.busyAt(now)
	}
	return g.admit(true, g.slowTurns.giveBack), nil
}

// admit is called with the lock held.
func (g *gate) admit(slow bool, release func()) *turn {
	g.calls++
	return &turn{gate: g, slow: slow, release: release, began: g.clock.Now()}
}

// slow is true if the server took long for an answer a short time ago, or has taken long for one that isn't there yet.
func (g *gate) slow() bool {
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	late := func(began time.Time) bool { return now.Sub(began) > promptly }
	return now.Before(g.slowUntil) || slices.ContainsFunc(slices.Collect(maps.Values(g.asked)), late)
}

// ended is called with the lock held, when a call has.
func (g *gate) ended(took time.Duration, prompt bool, now time.Time) {
	g.calls--
	if took > nearly {
		g.farUntil = now.Add(slowFor)
	}
	switch g.prompt = prompt; {
	case !prompt:
		g.slowUntil = now.Add(slowFor)
		g.relapsed = now.Before(g.recovered.Add(slowFor))
	case now.Before(g.slowUntil) && !g.relapsed:
		g.slowUntil, g.recovered = time.Time{}, now
	}
	g.reputations.note(g.address, g.reputation, now)
}

func (g *gate) busy() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busyAt(g.clock.Now())
}

// busyAt is called with the lock held.
func (g *gate) busyAt(now time.Time) error { return &BusyError{after: g.retries.next(now)} }
