package nomad

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	silent := Classify("ask", errors.New("no answer"))
	type step struct {
		err  error
		want bool // open after it
	}
	fails := func(n int) (steps []step) {
		for i := range n {
			steps = append(steps, step{silent, i >= breakerFailures-1})
		}
		return steps
	}
	same := func(err error) []step {
		return slices.Repeat([]step{{err, false}}, 2*breakerFailures)
	}
	for name, steps := range map[string][]step{
		"a few failures":       fails(breakerFailures - 1),
		"one too many":         fails(breakerFailures),
		"an answer in between": slices.Concat(fails(breakerFailures-1), []step{{nil, false}}, fails(breakerFailures-1)),
		"not its turn":         same(&BusyError{}),
		"not asked":            same(fmt.Errorf("%w: %w", ErrUnreachable, errSuspended)),
		"the caller gave up":   same(Classify("ask", context.Canceled)),
		"too many allocations": same(Classify("ask", errTooManyAllocations)),
		"too many nodes":       same(Classify("ask", errTooManyNodes)),
		"too large":            same(Classify("ask", errTooLarge)),
		"large and slow":       same(Classify("ask", errLargeSlow)),
		"too many in between":  slices.Concat(fails(breakerFailures-1), []step{{Classify("ask", errTooManyNodes), false}, {silent, true}}),
	} {
		var b breaker
		now := time.Unix(1e9, 0)
		for i, s := range steps {
			if b.note(s.err, now); b.isOpen(now) != s.want {
				t.Errorf("%s: after %d it is open: %t", name, i+1, b.isOpen(now))
			}
		}
	}
}

// After each failure of the only request that is let through it stays open for longer, up to a minute.
func TestBreakerStaysOpenLonger(t *testing.T) {
	var b breaker
	silent, now := Classify("ask", errors.New("no answer")), time.Unix(1e9, 0)
	for range breakerFailures {
		b.note(silent, now)
	}
	var open []time.Duration
	for range 5 {
		open = append(open, b.until.Sub(now))
		now = b.until
		if b.isOpen(now) {
			t.Fatal("it is still open")
		}
		b.note(silent, now)
	}
	if got := fmt.Sprint(open); got != "[10s 20s 40s 1m0s 1m0s]" {
		t.Errorf("open for %s", got)
	}
	if b.note(nil, now); b.isOpen(now) || b.opened != 0 {
		t.Error("an answer doesn't close it")
	}
}

// Workers' requests without an answer make Nomad unknown, but not its nodes: they needn't recover from it. Once Nomad
// is back from an outage the breaker is closed.
func TestBreakerMakesNomadUnknown(t *testing.T) {
	s, at := newState(Health{State: HealthReachable}), time.Unix(1e9, 0)
	s.listed(nil, at)
	since, silent := s.view().RecoveredSince, Classify("ask", errors.New("no answer"))
	fail := func() (changed bool) {
		for range breakerFailures {
			changed = s.called(silent, at)
		}
		return changed
	}
	if !fail() || s.view().Health.State != HealthUnresponsive || !s.suspended(at) {
		t.Errorf("the health is %s", s.view().Health)
	}
	if at = at.Add(breakerFirst); s.suspended(at) {
		t.Error("it isn't asked again")
	}
	if _, changed := s.listed(nil, at); !changed || !s.view().Health.OK() || !s.view().RecoveredSince.Equal(since) {
		t.Errorf("then the health is %s, recovered since %s", s.view().Health, s.view().RecoveredSince)
	}
	fail()
	s.listFailed(silent, at)
	if s.listed(nil, at); s.suspended(at) || !s.view().Health.OK() {
		t.Errorf("after an outage the health is %s", s.view().Health)
	}
	s.listFailed(silent, at)
	if fail(); s.suspended(at) {
		t.Error("what fails in an outage counts")
	}
}
