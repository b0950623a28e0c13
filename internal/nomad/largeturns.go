package nomad

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// The whole process decodes a few large answers at the same time, because many servers may send some at once. Only
// requests about large jobs wait for a turn.
const (
	// largeAtOnce is how many, of which a server has one, however many connections lead to it.
	largeAtOnce = 2
	// largeFor is how long an answer keeps its turn. A server whose answer wasn't read by then gets none for largePause: a
	// few servers that send large answers slowly would have all turns, again and again.
	largeFor   = 3 * time.Second
	largePause = time.Minute
	// largeRetry is how often a request that waits looks if it is its server's turn.
	largeRetry = 20 * time.Millisecond
)

// errLargeSlow: the answer was not read to its end, or not at all.
var errLargeSlow = errors.New("a large answer came so slowly that none is read for a minute")

// allLargeTurns are the turns to decode large answers, which all connections share. Servers have them in their order,
// by their addresses: one that comes last waits for no more than an answer of each of the others. It keeps its place if
// its request ends before, and the next one comes soon (claimFor).
type allLargeTurns struct {
	turns fairTurns

	mu      sync.Mutex
	reading map[string]bool
	paused  map[string]time.Time // until when
}

func newAllLargeTurns() *allLargeTurns {
	return &allLargeTurns{turns: fairTurns{free: largeAtOnce}, reading: map[string]bool{}, paused: map[string]time.Time{}}
}

// largeTurns are those of a connection.
type largeTurns struct {
	*allLargeTurns
	clock   clock.PassiveClock
	address string
}

func newLargeTurns(c clock.PassiveClock, all shared, address string) *largeTurns {
	return &largeTurns{allLargeTurns: all.large, clock: c, address: address}
}

// acquire waits for a turn, as long as the request may last. It returns what gives it back. A request that keeps it too
// long is aborted.
func (l *largeTurns) acquire(ctx context.Context, abort context.CancelCauseFunc) (release func(), err error) {
	for {
		taken, err := l.take()
		if taken {
			break
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(largeRetry):
		}
	}
	late := time.AfterFunc(largeFor, func() {
		l.pause()
		abort(errLargeSlow)
	})
	return func() {
		late.Stop()
		l.giveBack()
	}, nil
}

// take makes no claim for a server that has a turn: it couldn't use a second one.
func (l *largeTurns) take() (taken bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	maps.DeleteFunc(l.paused, func(_ string, until time.Time) bool { return !now.Before(until) })
	if _, paused := l.paused[l.address]; paused {
		return false, errLargeSlow
	}
	if l.reading[l.address] || !l.turns.take(l.address, now) {
		return false, nil
	}
	l.reading[l.address] = true
	return true, nil
}

func (l *largeTurns) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.reading, l.address)
	l.turns.giveBack()
}

func (l *largeTurns) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused[l.address] = l.clock.Now().Add(largePause)
}
