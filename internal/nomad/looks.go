package nomad

import (
	"context"
	"fmt"
	"sync/atomic"
)

// looks lets one look at the token serve all who wait for one, so that a hundred members that are drained at once don't ask a
// hundred times.
type looks struct {
	turn    chan struct{} // has room for whoever looks
	started atomic.Int64  // the number of the look that was begun last
	ended   atomic.Int64  // the number of the look that has come to its end last
	denied  atomic.Int64  // the number of the look that last found the token wanting; 0: none has
	// Of the latest look that has come to its end, with its number; for whoever has the turn.
	done   int64
	health Health
	err    error
}

func newLooks() *looks { return &looks{turn: make(chan struct{}, 1)} }

// newer returns what a look found that began after newer was called: look's own, or that of somebody who waited as well.
func (l *looks) newer(ctx context.Context, look func(context.Context) (Health, error)) (Health, error) {
	before := l.started.Load()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return Health{}, ctx.Err()
	}
	if l.done > before {
		return l.health, l.err
	}
	number := l.started.Add(1)
	health, err := look(ctx)
	l.ended.Store(number)
	if ctx.Err() == nil { // that one gave up says nothing to the others
		l.done, l.health, l.err = number, health, err
	}
	return health, err
}

// lookAtToken finds out what the token grants, and notes it.
func (c *cluster) lookAtToken(ctx context.Context) (Health, error) {
	return c.looks.newer(ctx, func(ctx context.Context) (Health, error) {
		health, err := c.remote.tokenHealth(ctx)
		if err == nil {
			if !health.OK {
				c.looks.denied.Store(c.looks.started.Load())
			}
			c.noteHealth(c.state.judged(health, c.o.Clock.Now()))
		}
		return health, err
	})
}

// verify is nil if the token still sees every allocation, by a look that begins now, and no look has found otherwise since the
// one of the given number ended. A list of allocations that was read in between can then be believed: with a token that had lost a
// grant it would have been shorter, and not refused.
func (c *cluster) verify(ctx context.Context, since int64) error {
	health, err := c.lookAtToken(ctx)
	if err != nil {
		return err
	}
	if !health.OK {
		return fmt.Errorf("what the list of allocations leaves out is unknown: %w: %s", ErrForbidden, health.Message)
	}
	if c.looks.denied.Load() > since {
		return fmt.Errorf("what the list of allocations leaves out is unknown: %w: the token has been given back what it had lost since", ErrForbidden)
	}
	return nil
}
