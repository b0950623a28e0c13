package nomad

import (
	"context"
	"fmt"
	"sync/atomic"
)

// tokenCheck is what a check of the token found.
type tokenCheck struct {
	health Health
	// grants stands for what was granted, in the version that it had: any write to the token, its roles or its policies
	// makes it another one, even if it has been undone since. Empty: the cluster runs without ACLs, or the token is
	// none.
	grants string
	// noACLs: the cluster runs without ACLs.
	noACLs bool
}

// tokenChecks lets one check of the token serve all who wait for one, so that a hundred members that are drained at
// once don't ask a hundred times. (singleflight would hand out one that began before it was asked for.)
type tokenChecks struct {
	turn    chan struct{}              // has room for whoever checks
	started atomic.Int64               // the number of the check that was begun last
	latest  atomic.Pointer[tokenCheck] // that found something; nil: none has
	// Of the latest check that has come to its end, with its number; for whoever has the turn.
	done  int64
	found tokenCheck
	err   error
}

func newTokenChecks() *tokenChecks { return &tokenChecks{turn: make(chan struct{}, 1)} }

// newer returns what a check found that began after newer was called: its own, or that of somebody who waited as well.
func (t *tokenChecks) newer(ctx context.Context, check func(context.Context) (tokenCheck, error)) (tokenCheck, error) {
	before := t.started.Load()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return tokenCheck{}, ctx.Err()
	}
	if t.done > before {
		return t.found, t.err
	}
	number := t.started.Add(1)
	found, err := check(ctx)
	if err == nil {
		t.latest.Store(&found)
	}
	if ctx.Err() == nil { // that one gave up says nothing to the others
		t.done, t.found, t.err = number, found, err
	}
	return found, err
}

// checkToken finds out what the token grants, and notes it.
func (c *cluster) checkToken(ctx context.Context) (tokenCheck, error) {
	return c.checks.newer(ctx, func(ctx context.Context) (tokenCheck, error) {
		found, err := c.remote.checkToken(ctx)
		if err == nil {
			c.noteHealth(c.state.judged(found.health, c.o.Clock.Now()))
		}
		return found, err
	})
}

// lastCheck is the last check of the token that found something, a new one if there was none.
func (c *cluster) lastCheck(ctx context.Context) (tokenCheck, error) {
	if latest := c.checks.latest.Load(); latest != nil {
		return *latest, nil
	}
	return c.checkToken(ctx)
}

// verify is nil if the token sees every allocation, by a check that begins now, and nobody has changed what it grants
// since the check before. A list of allocations that was read in between can then be believed: with a token that had
// lost a grant it would have been shorter, and not refused.
func (c *cluster) verify(ctx context.Context, before tokenCheck) error {
	now, err := c.checkToken(ctx)
	switch {
	case err != nil:
		return err
	case !now.health.OK():
		return fmt.Errorf("what the list of allocations leaves out is unknown: %w: %s", ErrForbidden, now.health)
	case now.grants != before.grants:
		return fmt.Errorf(
			"what the list of allocations leaves out is unknown: %w: the token's policies have been changed meanwhile",
			ErrForbidden)
	}
	return nil
}
