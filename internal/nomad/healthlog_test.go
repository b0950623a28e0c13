package nomad

import (
	"testing"
	"time"
)

// What the log holds of a health that is polled twice a second for ten minutes.
func TestHealthLogIsLimited(t *testing.T) {
	for name, tc := range map[string]struct {
		state    func(poll int) HealthState
		min, max int
	}{
		"steady":   {func(int) HealthState { return HealthReachable }, 1, 1},
		"as begun": {func(int) HealthState { return HealthUnknown }, 0, 0},
		"flapping": {func(poll int) HealthState {
			return []HealthState{HealthReachable, HealthUnreachable}[poll%2]
		}, healthLogBurst + 5, healthLogBurst + 10},
		"a few changes": {func(poll int) HealthState {
			return []HealthState{HealthReachable, HealthUnreachable, HealthReachable}[min(poll/10, 2)]
		}, 3, 3},
	} {
		l, now, lines := healthLog{state: HealthUnknown}, time.Unix(1e9, 0), 0
		for poll := range 1200 {
			if _, due := l.due(tc.state(poll), now); due {
				lines++
			}
			now = now.Add(500 * time.Millisecond)
		}
		if lines < tc.min || lines > tc.max {
			t.Errorf("%s: %d lines, want %d to %d", name, lines, tc.min, tc.max)
		}
	}
}

// The last state is logged in the end, with how many changes were not.
func TestHealthLogHasTheLastState(t *testing.T) {
	l, now := healthLog{state: HealthUnknown}, time.Unix(1e9, 0)
	for poll := range 100 {
		l.due([]HealthState{HealthReachable, HealthUnreachable}[poll%2], now)
	}
	if l.due(HealthReachable, now); l.state == HealthReachable && l.skipped == 0 {
		t.Fatal("all changes were logged")
	}
	skipped, due := l.due(HealthTokenRefused, now.Add(healthLogEvery))
	if !due || skipped < 90 {
		t.Errorf("due %t, with %d unlogged", due, skipped)
	}
}
