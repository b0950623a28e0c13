package nomad

import (
	"context"
	"fmt"
	"sync/atomic"
)

// tokenLook is what a look at the token found.
type tokenLook struct {
	health Health
	// grants stands for what was granted, in the version that it had: any write to the token, its roles or its policies makes it
	// another one, even if it has been undone since. Empty: the cluster runs without ACLs, or the token is none.
	grants string
	// noACLs: the cluster runs without ACLs.
	noACLs bool
}

// looks lets one look at the token serve all who wait for one, so that a hundred members that are drained at once don't ask a
// hundred times.
type looks struct {
	turn    chan struct{}             // has room for whoever looks
	started atomic.Int64              // the number of the look that was begun last
	latest  atomic.Pointer[tokenLook] // that found something; nil: none has
	// Of the latest look that has come to its end, with its number; for whoever has the turn.
	done  int64
	found tokenLook
	err   error
}

func newLooks() *looks { return &looks{turn: make(chan struct{}, 1)} }

// newer returns what a look found that began after newer was called: look's own, or that of somebody who waited as well.
func (l *looks) newer(ctx context.Context, look func(context.Context) (tokenLook, error)) (tokenLook, error) {
	before := l.started.Load()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return tokenLook{}, ctx.Err()
	}
	if l.done > before {
		return l.found, l.err
	}
	number := l.started.Add(1)
	found, err := look(ctx)
	if err == nil {
		l.latest.Store(&found)
	}
	if ctx.Err() == nil { // that one gave up says nothing to the others
		l.done, l.found, l.err = number, found, err
	}
	return found, err
}

// lookAtToken finds out what the token grants, and notes it.
func (c *cluster) lookAtToken(ctx context.Context) (tokenLook, error) {
	return c.looks.newer(ctx, func(ctx context.Context) (tokenLook, error) {
		found, err := c.remote.lookAtToken(ctx)
		if err == nil {
			c.noteHealth(c.state.judged(found.health, c.o.Clock.Now()))
		}
		return found, err
	})
}

// lastLook is the last look at the token that found something, a new one if there was none.
func (c *cluster) lastLook(ctx context.Context) (tokenLook, error) {
	if latest := c.looks.latest.Load(); latest != nil {
		return *latest, nil
	}
	return c.lookAtToken(ctx)
}

// verify is nil if the token sees every allocation, by a look that begins now, and nobody has changed what it grants since the
// look before. A list of allocations that was read in between can then be believed: with a token that had lost a grant it would
// have been shorter, and not refused.
func (c *cluster) verify(ctx context.Context, before tokenLook) error {
	now, err := c.lookAtToken(ctx)
	switch {
	case err != nil:
		return err
	case !now.health.OK():
		return fmt.Errorf("what the list of allocations leaves out is unknown: %w: %s", ErrForbidden, now.health)
	case now.grants != before.grants:
		return fmt.Errorf("what the list of allocations leaves out is unknown: %w: the token's policies have been changed meanwhile", ErrForbidden)
	}
	return nil
}
