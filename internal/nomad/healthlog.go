package nomad

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The first few changes of a cluster's health are logged as they come, and then one a minute: a server whose health
// flaps twice a second mustn't fill the log.
const (
	healthLogBurst = 4
	healthLogEvery = time.Minute
)

// healthLog says which changes of a cluster's health are logged. It goes by the state alone: the text of the cause is
// the server's, and may be another one each time.
type healthLog struct {
	mu      sync.Mutex
	state   HealthState // that was logged last
	seen    HealthState // at the last call
	skipped int         // changes since then that weren't logged
	limit   *rate.Limiter
}

// due is called with the present state, again and again. It is true if that is to be logged now, with how many changes
// before it weren't.
func (l *healthLog) due(state HealthState, now time.Time) (skipped int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit == nil {
		l.limit, l.seen = rate.NewLimiter(rate.Every(healthLogEvery), healthLogBurst), l.state
	}
	if state != l.seen {
		l.seen = state
		l.skipped++
	}
	if state == l.state || !l.limit.AllowN(now, 1) {
		return 0, false
	}
	skipped = max(l.skipped-1, 0)
	l.state, l.skipped = state, 0
	return skipped, true
}
