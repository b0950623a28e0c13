package nomad

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// stuckAfter is for how long the watcher of a cluster's nodes may be late before it counts as stuck. Where
// processors are short everything is late.
const stuckAfter = time.Minute

var errStuck = errors.New("watchers of Nomad don't go on")

// beat notes that the watcher of the nodes goes on.
func (c *cluster) beat() { c.lastBeat.note(c.o.Clock.Now()) }

// moment is a time as the clock gave it, with its monotonic reading: how long ago it was mustn't depend on whether the
// clock has been set meanwhile.
type moment struct{ at atomic.Pointer[time.Time] }

func (m *moment) note(now time.Time) { m.at.Store(&now) }

// time is zero before the first note.
func (m *moment) time() time.Time {
	if at := m.at.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// longestRound is the longest that one round of the watcher of the nodes takes: a login, a list that waits, a question
// for the leader, and a pause after a failure.
func (o Options) longestRound() time.Duration {
	return o.PollNodes + o.PollNodes/16 + 3*o.RequestTimeout + max(maxBackoff, tooManyPause)
}

// Alive is an error if a watcher is stuck: then the view of its cluster gets old, and nothing says why. Before Start,
// and in a process that doesn't lead, there are none.
func (c *Clusters) Alive() error {
	limit := c.o.Clock.Now().Add(-c.o.longestRound() - stuckAfter)
	c.mu.Lock()
	defer c.mu.Unlock()
	var stuck []string
	for _, e := range c.entries {
		if e.stop != nil && e.cluster.lastBeat.time().Before(limit) {
			stuck = append(stuck, e.cluster.address)
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	slices.Sort(stuck)
	return fmt.Errorf("%w: %s", errStuck, strings.Join(stuck, ", "))
}
