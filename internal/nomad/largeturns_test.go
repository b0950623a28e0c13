package nomad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

// largeAnswer is an answer that needs a turn.
var largeAnswer = `[{"ClientStatus":"running","TaskGroup":"g","Job":{"Payload":"` + strings.Repeat("x", 1<<20) +
	`","TaskGroups":[{"Name":"g","ShutdownDelay":7}]}}]`

// free is how many turns nobody has.
func (l *allLargeTurns) free() int {
	l.turns.mu.Lock()
	defer l.turns.mu.Unlock()
	return l.turns.free
}

func taken(l *largeTurns) bool {
	taken, err := l.take()
	return taken && err == nil
}

// Who has a turn gives it back, however the request ends, and who has none waits no longer than its request may.
func TestLargeAnswersTakeTurns(t *testing.T) {
	for range 3 {
		c := answering(t, saying(largeAnswer)).(*cluster)
		if d, err := c.StopTime(t.Context(), nodeA); err != nil || d != 7 || c.shared.large.free() != largeAtOnce {
			t.Errorf("got %s, %v", d, err)
		}
		c = answering(t, saying(largeAnswer[:1<<20])).(*cluster)
		if _, err := c.StopTime(t.Context(), nodeA); err == nil || c.shared.large.free() != largeAtOnce {
			t.Error("half an answer is believed, or keeps its turn")
		}
	}
	c := answering(t, saying(largeAnswer)).(*cluster)
	for i := range largeAtOnce {
		if other := newLargeTurns(clock.RealClock{}, c.shared, fmt.Sprint(i)); !taken(other) {
			t.Fatal("others get no turn")
		}
	}
	if _, err := c.StopTime(t.Context(), nodeA); !errors.Is(err, ErrUnreachable) || Cause(err) != "no answer in time" {
		t.Errorf("got %v", err)
	}
}

// Servers that send large answers slowly, as many at a time and as often as they like, don't keep all turns.
func TestSlowLargeAnswersLoseTheirTurns(t *testing.T) {
	clusters := NewClusters(Options{})
	trickle := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, largeAnswer[:1<<20])
		for r.Context().Err() == nil {
			time.Sleep(50 * time.Millisecond)
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
	at := func(serve http.HandlerFunc) *cluster {
		server := httptest.NewServer(serve)
		t.Cleanup(server.Close)
		return clusters.Get(Connection{Address: server.URL}).(*cluster)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var hostile sync.WaitGroup
	var slow *cluster
	for range largeAtOnce {
		c := at(trickle)
		slow = c
		for range jobsAtATime { // a poll asks for so many at the same time
			hostile.Go(func() {
				for ctx.Err() == nil {
					if _, err := c.remote.stopTime(ctx, nodeA); err == nil {
						t.Error("it is believed")
					}
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
	}
	healthy := at(saying(largeAnswer))
	eventually(t, "all turns are taken", func() bool {
		return clusters.shared.large.free() == 0
	})
	for i, most := range []time.Duration{largeFor + 3*time.Second, 3 * time.Second, 3 * time.Second} {
		began := time.Now()
		d, err := healthy.remote.stopTime(t.Context(), nodeA)
		if took := time.Since(began); err != nil || d != 7 || took > most {
			t.Errorf("%d. after %s: %s, %v", i+1, took, d, err)
		}
	}
	_, err := slow.remote.stopTime(t.Context(), nodeA)
	if !errors.Is(err, ErrUnreachable) || Cause(err) != errLargeSlow.Error() {
		t.Errorf("got %v", err)
	}
	cancel()
	hostile.Wait()
	if clusters.shared.large.free() != largeAtOnce {
		t.Error("a turn wasn't given back")
	}
}

// Forty connections whose answers keep their turns for nearly as long as they may, and that come back at once, leave
// others a turn in a bounded time, though a request waits for one no longer than it may last.
func TestLargeAnswersHaveTheirTurnsOneAfterTheOther(t *testing.T) {
	const last, connections = largeFor - 100*time.Millisecond, 40
	for servers, most := range map[int]time.Duration{
		1:  largeRetry, // it has the other turn
		40: 40 / largeAtOnce * (last + largeRetry),
	} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, abort := newShared(), func(error) { t.Error("it is aborted") }
				ctx, cancel := context.WithCancel(t.Context())
				read := func(address string, takes, limit time.Duration) bool {
					ctx, cancel := context.WithTimeout(ctx, limit)
					defer cancel()
					release, err := newLargeTurns(clock.RealClock{}, all, address).acquire(ctx, abort)
					if err == nil {
						time.Sleep(takes)
						release()
					}
					return err == nil
				}
				var hostile sync.WaitGroup
				for i := range connections {
					hostile.Go(func() {
						for ctx.Err() == nil {
							read(fmt.Sprint(i%servers), last, time.Minute)
						}
					})
				}
				var longest time.Duration
				for range 10 {
					time.Sleep(largeFor)
					began := time.Now()
					for !read("healthy", 0, promptTimeout) && time.Since(began) < 10*time.Minute {
						time.Sleep(time.Second)
					}
					longest = max(longest, time.Since(began))
				}
				cancel()
				hostile.Wait()
				if t.Logf("it waited %s", longest); longest > most+time.Second+promptTimeout {
					t.Error("it waited too long")
				}
				if all.large.free() != largeAtOnce || len(all.large.reading) != 0 {
					t.Error("a turn wasn't given back")
				}
			})
		})
	}
}

// A server that was too slow is paused, whatever connection leads to it, and others aren't. A minute later it has turns
// again.
func TestSlowLargeAnswersPauseTheirServer(t *testing.T) {
	all, now := newShared(), clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	at := func(address string) *largeTurns { return newLargeTurns(now, all, address) }
	at("slow").pause()
	if _, err := at("slow").take(); !errors.Is(err, errLargeSlow) {
		t.Errorf("got %v", err)
	}
	if !taken(at("another")) {
		t.Error("another one is paused as well")
	}
	now.SetTime(now.Now().Add(largePause - 1))
	if taken(at("slow")) {
		t.Error("the pause is too short")
	}
	now.SetTime(now.Now().Add(1))
	if !taken(at("slow")) || len(all.large.paused) != 0 {
		t.Errorf("it is paused for too long: %v", all.large.paused)
	}
}
