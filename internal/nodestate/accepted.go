package nodestate

import "time"

// Between two requests for the same that Nomad has accepted there is as much time as since the first of them, within
// these bounds.
const (
	leastRepeat = time.Second
	mostRepeat  = 15 * time.Second
)

// Accepted is when Nomad first and last accepted what was asked of it for the drain request, as far as this process
// knows; zero: not yet.
type Accepted struct{ First, Last time.Time }

// Stop is when Nomad was first asked, first refused, and last accepted to stop at once what a drain has left at its
// deadline, as far as this process knows; zero: not yet. While the request waits for a turn at a slow Nomad, that has
// been asked and has refused nothing.
type Stop struct{ Asked, Refused, Accepted time.Time }

// At notes that it was accepted now.
func (a Accepted) At(now time.Time) Accepted {
	if a.First.IsZero() {
		a.First = now
	}
	a.Last = now
	return a
}

// RepeatIn is how long to wait before it is asked for again, because Nomad doesn't show it: its list may be older, and
// somebody may undo it each time. At most 0: not at all.
func (a Accepted) RepeatIn(now time.Time) time.Duration {
	if a.First.IsZero() {
		return 0
	}
	return min(max(a.Last.Sub(a.First), leastRepeat), mostRepeat) - now.Sub(a.Last)
}
