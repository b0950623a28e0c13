package nomad

import (
	"context"
	"fmt"
)

// callLimit bounds the time of one call of a worker, in timeouts of a single request. How many requests an Inspect
// makes depends on the server's answers.
const callLimit = 3

// call does what a worker asks for, which may take several requests, if it is the worker's turn.
func (c *cluster) call(ctx context.Context, do func(context.Context) error) error {
	c.use()
	if c.remote.broken != nil {
		return c.remote.broken
	}
	if c.state.suspended(c.o.Clock.Now()) {
		return fmt.Errorf("%w: %w", ErrUnreachable, errSuspended)
	}
	turn, err := c.gate.enter(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := turn.limited(ctx, callLimit*c.remote.timeout)
	defer cancel()
	defer func() { turn.leave(ctx.Err()) }()
	err = do(ctx)
	c.noteHealth(c.state.called(err, c.o.Clock.Now()))
	c.noteError(err)
	return err
}

// write is a call that changes something. A list that waits at the server returns by itself once the write took effect.
// One that pauses after a failure is woken.
func (c *cluster) write(ctx context.Context, do func(context.Context) error) error {
	err := c.call(ctx, do)
	if err == nil {
		wake(c.wakeNodes)
	}
	return err
}
