package nomad

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	clocktesting "k8s.io/utils/clock/testing"
)

// logins counts logins, and fails while err is set.
type logins struct {
	*session
	t     *testing.T
	clock *clocktesting.FakePassiveClock
	made  int
	err   error
}

func newLogins(t *testing.T, life time.Duration) *logins {
	l := &logins{t: t, clock: clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))}
	l.session = newSession(func(context.Context) (granted, error) {
		if l.made++; l.err != nil {
			return granted{}, l.err
		}
		return granted{secret: fmt.Sprintf("token %d", l.made), life: life}, nil
	}, l.clock, logr.Discard())
	return l
}

// after lets time go by, and then expects a token, or an error if it is empty, and so many logins until then.
func (l *logins) after(d time.Duration, want string, made int) {
	l.t.Helper()
	l.clock.SetTime(l.clock.Now().Add(d))
	got, _, err := l.token(l.t.Context())
	if got != want || (err == nil) != (want != "") || l.made != made {
		l.t.Fatalf("got %q, %v after %d logins; want %q after %d", got, err, l.made, want, made)
	}
}

func TestATokenIsRenewedAtTwoThirdsOfItsLife(t *testing.T) {
	l := newLogins(t, 30*time.Minute)
	l.after(0, "token 1", 1)
	l.after(20*time.Minute-1, "token 1", 1)
	l.after(1, "token 2", 2)
	l.after(20*time.Minute-1, "token 2", 2)
	l.after(time.Hour, "token 3", 3)
	if _, number, _ := l.token(t.Context()); number != 3 {
		t.Errorf("it is said to be login %d", number)
	}
}

// A renewal that fails is tried again, ever less often, and harms nothing while the old token lives.
func TestAnOldTokenServesWhileItLives(t *testing.T) {
	l := newLogins(t, 6*time.Minute)
	l.after(0, "token 1", 1)
	l.err = loginRefused{"400 no binding"}
	l.after(4*time.Minute, "token 1", 2)
	l.after(loginRetry-1, "token 1", 2)
	l.after(1, "token 1", 3)
	l.after(2*loginRetry-1, "token 1", 3)
	l.after(1, "token 1", 4)
	l.after(2*time.Minute-3*loginRetry-1, "token 1", 5) // a moment before its end
	l.after(1, "", 5)
	if _, _, err := l.token(t.Context()); !errors.Is(err, ErrLoginRefused) || !errors.Is(err, ErrForbidden) ||
		Cause(err) != "400 no binding" {
		t.Errorf("got %v", err)
	}
	l.err = nil
	l.after(maxLoginRetry, "token 6", 6)
}

func TestRefusedLoginsAreTriedOnceAMinute(t *testing.T) {
	l := newLogins(t, time.Hour)
	l.err = loginRefused{"400 no binding"}
	for range 3600 {
		l.clock.SetTime(l.clock.Now().Add(time.Second))
		if _, _, err := l.token(t.Context()); !errors.Is(err, ErrLoginRefused) {
			t.Fatal(err)
		}
	}
	if l.made < 60 || l.made > 66 {
		t.Errorf("%d logins in an hour", l.made)
	}
}

// Once Nomad is back, nobody waits a minute for a token.
func TestALoginFollowsSoonAfterAnOutage(t *testing.T) {
	l := newLogins(t, time.Hour)
	l.err = ErrUnreachable
	for range 600 {
		l.clock.SetTime(l.clock.Now().Add(time.Second))
		_, _, _ = l.token(t.Context())
	}
	l.err, l.made = nil, 0
	l.after(maxBackoff, "token 1", 1)
}

// A token that Nomad doesn't take, though it should live, is replaced, but not each second.
func TestADoubtfulTokenIsReplaced(t *testing.T) {
	l := newLogins(t, time.Hour)
	l.after(0, "token 1", 1)
	l.doubt()
	l.after(loginFloor-1, "token 1", 1)
	l.after(1, "token 2", 2)
	l.after(10*time.Minute, "token 2", 2)
	l.doubt()
	l.after(0, "token 3", 3)
	l.after(39*time.Minute, "token 3", 3)
	l.doubt()
	l.after(0, "token 4", 4)
}

// Whoever needs a token waits for one login, and while the old one lives for none.
func TestOneLogsInForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, goOn := newLogins(t, time.Hour), make(chan struct{})
		made := l.logIn
		l.logIn = func(ctx context.Context) (granted, error) { <-goOn; return made(ctx) }
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got, _, err := l.token(t.Context()); got != "token 1" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		given, giveUp := context.WithCancel(t.Context())
		giveUp()
		if _, _, err := l.token(given); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		goOn <- struct{}{}
		all.Wait()

		l.clock.SetTime(l.clock.Now().Add(40 * time.Minute))
		all.Go(func() { _, _, _ = l.token(t.Context()) })
		synctest.Wait()
		l.after(0, "token 1", 1)
		goOn <- struct{}{}
		all.Wait()
		l.after(0, "token 2", 2)
	})
}

// A caller that gives up says nothing about Nomad: the next one logs in.
func TestACanceledLoginIsNoFailure(t *testing.T) {
	l := newLogins(t, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	made := l.logIn
	l.logIn = func(context.Context) (granted, error) { cancel(); return granted{}, ctx.Err() }
	if _, _, err := l.token(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	l.logIn = made
	l.after(0, "token 1", 1)
}
