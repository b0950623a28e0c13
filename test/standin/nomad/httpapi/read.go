package httpapi

import (
	"context"
	"math/rand/v2"

	"github.com/hashicorp/go-memdb"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// startsAtZero are the lists whose index is 0 until something is in them; all else that nobody has written to is at 1
// (seen of 1.11.3). Who waits with 0 doesn't wait.
var startsAtZero = map[string]bool{
	"/v1/nodes":       true,
	"/v1/jobs":        true,
	"/v1/allocations": true,
	"/v1/evaluations": true,
	"/v1/deployments": true,
}

// read answers from the state, and waits before that, if the call has an index, until something that is read has a
// higher one. find returns the index of what it found. Without stale it needs a leader (facts/nomad.md §1).
func read[T any](c *call, find func(*state.Snapshot) (uint64, T, error)) (any, error) {
	if err := c.needLeader(); err != nil {
		return nil, err
	}
	wait := c.q.waitTime()
	ctx, cancel := context.WithTimeout(c.r.Context(), wait+rand.N(wait/16+1))
	defer cancel()
	for {
		watch := memdb.NewWatchSet()
		index, found, err := find(c.api.server.Store().Read().Watching(watch))
		if !startsAtZero[c.r.URL.Path] {
			index = max(index, 1)
		}
		if c.q.index == 0 || index > c.q.index || ctx.Err() != nil {
			c.setMeta(index)
			if err != nil {
				return nil, err
			}
			return found, nil
		}
		if watch.WatchCtx(ctx) == nil {
			continue
		}
		if c.r.Context().Err() != nil {
			return nil, errAnswered // nobody is there any more
		}
	}
}

// needLeader refuses what only a leader may answer.
func (c *call) needLeader() error {
	if c.q.stale {
		return nil
	}
	return c.api.server.Writable()
}
