package nomad

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

const (
	// loginRetry is the pause after a login that failed, and after further ones twice as long each, up to
	// maxLoginRetry.
	loginRetry    = 2 * time.Second
	maxLoginRetry = time.Minute
	// loginFloor is the least time between two logins because of doubts about a token that lives: each leaves a token in
	// Nomad's state until it expires.
	loginFloor = time.Minute
)

// session has the token of a connection that logs in. Nomad can't renew a token, so it logs in again.
type session struct {
	logIn func(context.Context) (granted, error)
	clock clock.PassiveClock
	log   logr.Logger
	turn  chan struct{} // holds an item while somebody logs in

	mu       sync.Mutex
	secret   string
	number   int // how many logins have succeeded
	loggedIn time.Time
	// renew is when to log in again, and expires when Nomad no longer takes the token.
	renew, expires time.Time
	// err is why the latest login has failed; nil: it hasn't. retry is when to try again, and pause how long that is.
	err   error
	retry time.Time
	pause time.Duration
}

func newSession(logIn func(context.Context) (granted, error), clock clock.PassiveClock, log logr.Logger) *session {
	return &session{logIn: logIn, clock: clock, log: log, turn: make(chan struct{}, 1)}
}

// token returns a token that lives, and the number of its login. It logs in if need be. While the old token lives
// nobody waits for another's login, and one that fails does no harm.
func (s *session) token(ctx context.Context) (string, int, error) {
	for {
		now := s.clock.Now()
		s.mu.Lock()
		secret, number, err, due := s.secret, s.number, s.err, s.due(now)
		lives := secret != "" && now.Before(s.expires)
		s.mu.Unlock()
		if !due {
			if lives {
				err = nil
			} else {
				secret = ""
			}
			return secret, number, err
		}
		select {
		case s.turn <- struct{}{}:
			err := s.renewed(ctx)
			<-s.turn
			switch {
			case err == nil:
				continue
			case lives: // the caller's time was over, and the old token serves
				return secret, number, nil
			}
			return "", number, gaveUp(err)
		default:
		}
		if lives {
			return secret, number, nil
		}
		select {
		case s.turn <- struct{}{}: // somebody else's login has ended
			<-s.turn
		case <-ctx.Done():
			return "", number, gaveUp(ctx.Err())
		}
	}
}

// gaveUp is the error of a caller whose time was over before there was a token: it has learnt nothing of Nomad.
func gaveUp(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: logging in: %w", ErrUnreachable, err)
	}
	return err
}

// due is called with the lock held. Without a token that lives and without a failure there has been no login yet, or
// none in time.
func (s *session) due(now time.Time) bool {
	return !now.Before(s.retry) && !now.Before(s.renew)
}

// renewed logs in, unless somebody else has meanwhile. The error is that the caller gave up.
func (s *session) renewed(ctx context.Context) error {
	began := s.clock.Now()
	s.mu.Lock()
	due := s.due(began)
	s.mu.Unlock()
	if !due {
		return nil
	}
	got, err := s.logIn(ctx)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed(err)
		return nil
	}
	s.number++
	s.secret, s.loggedIn, s.err, s.retry, s.pause = got.secret, began, nil, time.Time{}, 0
	s.renew, s.expires = began.Add(got.life*2/3), began.Add(got.life)
	s.log.V(1).Info("logged in to Nomad", "renewAfter", (got.life * 2 / 3).String())
	return nil
}

// failed is called with the lock held.
func (s *session) failed(err error) {
	if s.err == nil || s.err.Error() != err.Error() {
		s.log.Info("a login to Nomad has failed", "cause", Cause(err), "oldTokenLivesUntil", s.expires)
	}
	longest := maxLoginRetry
	if errors.Is(err, ErrUnreachable) {
		longest = maxBackoff // it is noticed as soon as others notice that Nomad is back
	}
	s.pause = min(max(loginRetry, s.pause*2), longest)
	s.err, s.retry = err, s.clock.Now().Add(s.pause)
}

// doubt has the next request log in, because Nomad has refused the token or it grants too little: it may be gone, and
// what it grants was laid down when it was made.
func (s *session) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if soonest := s.loggedIn.Add(loginFloor); s.secret != "" && soonest.Before(s.renew) {
		s.renew = soonest
	}
}
