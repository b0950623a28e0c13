package nomad

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/utils/clock"
)

// The whole process decodes a few large answers at the same time, because many servers may send some at once. Only
// requests about large jobs wait for a turn.
const (
	// largeAtOnce is how many, of which a connection has one.
	largeAtOnce = 2
	// largeFor is how long an answer keeps its turn. A connection whose answer wasn't read by then gets none for
	// largePause: a few servers that send large answers slowly would have all turns, again and again.
	largeFor   = 3 * time.Second
	largePause = time.Minute
)

// errLargeSlow: the answer was not read to its end, or not at all.
var errLargeSlow = errors.New("a large answer came so slowly that none is read for a minute")

// largeTurns are the turns of a connection to decode large answers.
type largeTurns struct {
	clock clock.PassiveClock
	// all are shared by all connections, and each has one of them at a time, for which its requests wait.
	all, one *semaphore.Weighted

	mu     sync.Mutex
	paused time.Time // until when
}

func newLargeTurns(c clock.PassiveClock, all shared) *largeTurns {
	return &largeTurns{clock: c, all: all.large, one: semaphore.NewWeighted(1)}
}

// acquire waits for a turn, as long as the request may last. It returns what gives it back. A request that keeps it too
// long is aborted.
func (l *largeTurns) acquire(ctx context.Context, abort context.CancelCauseFunc) (release func(), err error) {
	if err := l.one.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if l.isPaused() {
		l.one.Release(1)
		return nil, errLargeSlow
	}
	if err := l.all.Acquire(ctx, 1); err != nil {
		l.one.Release(1)
		return nil, err
	}
	late := time.AfterFunc(largeFor, func() {
		l.pause()
		abort(errLargeSlow)
	})
	return func() {
		late.Stop()
		l.all.Release(1)
		l.one.Release(1)
	}, nil
}

func (l *largeTurns) isPaused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.Now().Before(l.paused)
}

func (l *largeTurns) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = l.clock.Now().Add(largePause)
}
