package nomad

import (
	"maps"
	"sync"
	"time"
)

// reputations are what is known of servers that are slow or far, by their addresses. It outlives a connection: whoever
// puts another token into a Secret has another one, and may do so each second.
type reputations struct {
	mu sync.Mutex
	by map[string]reputation
}

// reputation is until when a server counts as slow, and as far.
type reputation struct{ slowUntil, farUntil time.Time }

func (r reputation) lasts(now time.Time) bool {
	return now.Before(r.slowUntil) || now.Before(r.farUntil)
}

// of is zero for a server of which nothing is known. What it was until some time ago says nothing.
func (r *reputations) of(address string) reputation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by[address]
}

// note keeps the worst that any connection has found: a server may answer one promptly, and let others wait.
func (r *reputations) note(address string, found reputation, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.by, func(_ string, old reputation) bool { return !old.lasts(now) })
	if !found.lasts(now) {
		return
	}
	known := r.by[address]
	r.by[address] = reputation{later(known.slowUntil, found.slowUntil), later(known.farUntil, found.farUntil)}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
