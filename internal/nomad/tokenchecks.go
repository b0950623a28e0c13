package nomad

import (
	"context"
	"fmt"
	"sync/atomic"
)

// tokenCheck is what a check of the token found.
type tokenCheck struct {
	health Health
	// grants identifies the version of what was granted. Any write to the token, its roles or its policies changes it,
	// even if the write has been undone since. Empty: the cluster runs without ACLs, or the token isn't one.
	grants string
	// login is the number of the login that gave the token; 0: none did.
	login int
	// noACLs: the cluster runs without ACLs.
	noACLs bool
}

// tokenChecks lets all callers that wait for a check of the token share one, so that a hundred members that drain at
// once don't cause a hundred checks. (singleflight would return a check that began before the call.)
type tokenChecks struct {
	turn    chan struct{}              // holds an item while somebody checks
	started atomic.Int64               // the number of the check that was begun last
	latest  atomic.Pointer[tokenCheck] // that found something; nil: none has
	// The number and the result of the latest check that has ended. Only the caller that holds turn may use them.
	done  int64
	found tokenCheck
	err   error
}

func newTokenChecks() *tokenChecks { return &tokenChecks{turn: make(chan struct{}, 1)} }

// newer returns the result of a check that began after newer was called: its own, or that of another caller.
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
	if ctx.Err() == nil { // a check that was canceled is of no use to the others
		t.done, t.found, t.err = number, found, err
	}
	return found, err
}

// checkToken finds out what the token grants, and notes it. How many requests that takes depends on the server's
// answers, so a check has no more time than a call of a worker, which couldn't wait for a longer one.
func (c *cluster) checkToken(ctx context.Context) (tokenCheck, error) {
	return c.checks.newer(ctx, func(ctx context.Context) (tokenCheck, error) {
		ctx, cancel := context.WithTimeout(ctx, callLimit*c.remote.timeout)
		defer cancel()
		login := c.remote.login(ctx)
		found, err := c.remote.checkToken(ctx)
		if found.login = login; err == nil {
			if !found.health.OK() {
				c.remote.doubt() // a login of now may be granted more
			}
			c.noteHealth(c.state.judged(found.health, c.o.Clock.Now()))
		}
		return found, err
	})
}

// lastCheck returns the last check of the token that succeeded, or makes a new one. A check of the token of an earlier
// login would look as if the grants had changed.
func (c *cluster) lastCheck(ctx context.Context) (tokenCheck, error) {
	if latest := c.checks.latest.Load(); latest != nil && latest.login == c.remote.login(ctx) {
		return *latest, nil
	}
	return c.checkToken(ctx)
}

// verify checks the token again, and returns nil if it sees every allocation and its grants haven't changed since the
// check before. Then a list of allocations that was read in between is complete. If the token had lost a grant, the
// list would have been shorter without an error.
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
