package nomad

import (
	"context"
	"time"
)

// A call may take several requests, a dozen to look at a node, and a Nomad that is far away needs its time for each. So
// what is measured is each of them.
const (
	// promptly is how soon a call ends at a server that isn't slow. A call of several requests may take longer, up to
	// promptCall, if each of them had its answer within eachPromptly.
	promptly     = time.Second
	eachPromptly = 500 * time.Millisecond
	promptCall   = 4 * time.Second
	// nearly is how soon a call ends at a server that isn't far.
	nearly = 300 * time.Millisecond
	// promptTimeout is how long the answer to a request is waited for while the server isn't known to be slow.
	promptTimeout = 2 * time.Second
)

// turn is one call of a worker that the gate has admitted.
type turn struct {
	gate    *gate
	slow    bool // it is a call to a server that is known to be slow
	release func()
	began   time.Time
	// longest is the time that the slowest of its requests took, and timedOut is true if one had no answer in time.
	// The gate's lock is held.
	longest  time.Duration
	timedOut bool
}

type turnKey struct{}

// limited has the context end when the call has to, and its requests be timed.
func (t *turn) limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if !t.slow {
		limit = min(limit, promptCall)
	}
	return context.WithTimeout(context.WithValue(ctx, turnKey{}, t), limit)
}

// leave ends the call. err is that of its context.
func (t *turn) leave(err error) {
	t.release()
	g := t.gate
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	took, limit := now.Sub(t.began), promptly
	if t.longest <= eachPromptly {
		limit = promptCall
	}
	g.ended(took, took <= limit && !t.timedOut && !timedOut(err), now)
}

// timed has a request of a worker's call be timed until ended is called with its error. The watchers' requests are none
// of a call.
func timed(ctx context.Context) (_ context.Context, ended func(error)) {
	t, ok := ctx.Value(turnKey{}).(*turn)
	if !ok {
		return ctx, func(error) {}
	}
	cancel := context.CancelFunc(func() {})
	if !t.slow {
		ctx, cancel = context.WithTimeout(ctx, promptTimeout)
	}
	number := t.ask()
	return ctx, func(err error) { cancel(); t.answered(number, err) }
}

func (t *turn) ask() (number int) {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.number++
	g.asked[g.number] = g.clock.Now()
	return g.number
}

func (t *turn) answered(number int, err error) {
	g := t.gate
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	t.longest = max(t.longest, now.Sub(g.asked[number]))
	t.timedOut = t.timedOut || timedOut(err)
	delete(g.asked, number)
}
