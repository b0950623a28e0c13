package nomad

import (
	"errors"
	"time"
)

const (
	// breakerFailures is how many requests of workers in a row have to go without an answer before none is sent for a
	// while.
	breakerFailures = 5
	// breakerFirst is for how long, and breakerLast after many times in a row: it doubles with each.
	breakerFirst, breakerLast = 10 * time.Second, time.Minute
)

// breaker keeps workers from asking a server that answers the watchers, but not them. Its zero value is closed. The
// caller locks.
type breaker struct {
	failures, opened int
	until            time.Time
	cause            string
}

// note records the result of a request. One that had an answer closes it, whatever the answer was. After an open time
// the first failure opens it again.
func (b *breaker) note(err error, now time.Time) {
	if _, busy := errors.AsType[*BusyError](err); busy || errors.Is(err, errSuspended) {
		return // it wasn't sent
	}
	if isBeyondLimits(err) {
		return // it was answered, or others' answers take the room
	}
	if code, _ := statusOf(err); code != 0 || !errors.Is(err, ErrUnreachable) {
		if err == nil || code != 0 {
			*b = breaker{}
		}
		return
	}
	if b.isOpen(now) {
		return // it was sent before
	}
	if b.failures++; b.failures < breakerFailures && b.opened == 0 {
		return
	}
	b.until = now.Add(min(breakerFirst<<min(b.opened, 10), breakerLast))
	b.cause = Cause(err)
	b.opened++
}

func (b *breaker) isOpen(now time.Time) bool { return now.Before(b.until) }

// health is that of a server that answers the watchers alone.
func (b *breaker) health() Health { return Health{State: HealthUnresponsive, Cause: b.cause} }
