package nomad

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
)

// called has a server have a call that takes so long as soon as it gets a turn, and returns how long it waited for that.
// Who is refused comes back after the pause; none: when it is told to.
func called(ctx context.Context, g *gate, takes, pause time.Duration) (waited time.Duration) {
	began := time.Now()
	for ctx.Err() == nil {
		turn, err := g.enter(ctx)
		if err == nil {
			waited := time.Since(began)
			time.Sleep(takes)
			turn.leave(nil)
			return waited
		}
		if busy, ok := errors.AsType[*BusyError](err); ok && pause == 0 {
			time.Sleep(busy.RetryAfter())
		} else {
			time.Sleep(pause)
		}
	}
	return time.Since(began)
}

// crowd has a server's calls last so long, several at the same time, and begin again at once, until the context ends.
func crowd(ctx context.Context, running *sync.WaitGroup, g *gate, calls int, last time.Duration) {
	for range calls {
		running.Go(func() {
			for ctx.Err() == nil {
				called(ctx, g, last, 10*time.Millisecond)
			}
		})
	}
}

// longestWait is how long a server that calls now and then, ten times in all, waits for a turn at most. Each time it
// gives up after the timeout.
func longestWait(ctx context.Context, g *gate, timeout time.Duration) (longest time.Duration) {
	for range 10 {
		time.Sleep(promptly)
		patient, end := context.WithTimeout(ctx, timeout)
		longest = max(longest, called(patient, g, promptly, 0))
		end()
	}
	return longest
}

// Servers whose calls last nearly as long as those of a server may that isn't slow, and that come back at once, leave
// others that are far their turns.
func TestFarServersHaveTheirTurnsOneAfterTheOther(t *testing.T) {
	const last = promptCall - 100*time.Millisecond
	for name, hostile := range map[string]int{"none": 0, "two": 2, "five": 5} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				all := newShared()
				var running sync.WaitGroup
				for i := range hostile {
					crowd(ctx, &running, newGate(clock.RealClock{}, all, fmt.Sprint(i)), 2*callsAtOnce, last)
				}
				healthy := newGate(clock.RealClock{}, all, "healthy")
				called(ctx, healthy, promptly, 0) // now it is known to be far
				longest := longestWait(ctx, healthy, time.Minute)
				cancel()
				running.Wait()
				rounds := time.Duration((hostile + farCallsAtOnce - 1) / farCallsAtOnce)
				if t.Logf("it waited %s", longest); longest > rounds*(last+retryFirst+turnWait) {
					t.Error("it waited too long")
				}
			})
		})
	}
}

// Nor do slow ones keep all turns, whose calls last as long as any may. One that waits for its own answer claims none.
func TestSlowServersHaveTheirTurnsOneAfterTheOther(t *testing.T) {
	const last, hostile = 30 * time.Second, 7
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		all := newShared()
		slow := func(name string) *gate {
			g := newGate(clock.RealClock{}, all, name)
			g.slowUntil = time.Now().Add(24 * time.Hour)
			return g
		}
		var running sync.WaitGroup
		for i := range hostile {
			crowd(ctx, &running, slow(fmt.Sprint(i)), 2, last)
		}
		longest := longestWait(ctx, slow("healthy"), time.Hour)
		cancel()
		running.Wait()
		const rounds = (hostile + slowCallsAtOnce - 1) / slowCallsAtOnce
		if t.Logf("it waited %s", longest); longest > rounds*(last+retryFirst) {
			t.Error("it waited too long")
		}
	})
}

// Who was refused first has the next turn, unless it doesn't come back for it.
func TestFairTurns(t *testing.T) {
	turns, now := &fairTurns{free: 1}, time.Unix(1e9, 0)
	const a, b, c = "a", "b", "c"
	for i, step := range []struct {
		after time.Duration
		ended bool // a turn before
		by    string
		want  bool
	}{
		{0, false, a, true}, {0, false, b, false}, {0, false, c, false}, {0, false, a, false}, // in this order
		{0, true, a, false}, {0, false, c, false}, {0, false, b, true}, {0, false, b, false},
		{0, true, b, false}, {0, false, c, true}, // c, a, b
		{claimFor - 1, true, b, false}, {1, false, b, true}, // a didn't come back
		{claimFor, true, a, true},
	} {
		if step.ended {
			turns.giveBack()
		}
		if now = now.Add(step.after); turns.take(step.by, now) != step.want {
			t.Fatalf("step %d: it should be %t", i, step.want)
		}
	}
	if turns.free != 0 || len(turns.claims) != 0 {
		t.Errorf("%d are free, %d claimed", turns.free, len(turns.claims))
	}
}
