package client

import (
	"context"
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// all are the allocations that the client knows.
func (c *Client) all() []*alloc {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*alloc, 0, len(c.allocs))
	for _, a := range c.allocs {
		all = append(all, a)
	}
	return all
}

// changed are the IDs of allocations of which the client knows another version, or none.
func (c *Client) changed(indexes map[string]uint64) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id, index := range indexes {
		if a := c.allocs[id]; a == nil || a.version() != index {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// follow starts, changes and stops what the servers want so, and forgets what they have forgotten.
func (c *Client) follow(got []*api.Allocation, known map[string]uint64) {
	for _, a := range got {
		c.mu.Lock()
		here := c.allocs[a.ID]
		if here == nil && a.DesiredStatus == state.DesiredRun && !state.Terminal(a) && a.Job != nil {
			here = newAlloc(c, a)
			c.allocs[a.ID] = here
			go here.run(context.Background())
		}
		c.mu.Unlock()
		switch {
		case here != nil:
			here.update(a)
		default: // never seen, and to be stopped already
			c.neverRan(a)
		}
	}
	c.mu.Lock()
	var gone []*alloc
	for id, a := range c.allocs {
		if _, still := known[id]; !still {
			gone = append(gone, a)
			delete(c.allocs, id)
		}
	}
	c.mu.Unlock()
	for _, a := range gone {
		a.destroy()
	}
	if len(got)+len(gone) > 0 {
		if err := c.persist(); err != nil {
			c.log.Error("keeping state", "error", err)
		}
	}
}

// neverRan reports the end of what never began, unless the servers know of it.
func (c *Client) neverRan(a *api.Allocation) {
	here := newAlloc(c, a)
	here.end()
	if state.Terminal(a) {
		here.reported(here.unreported())
	}
	c.mu.Lock()
	c.allocs[a.ID] = here
	c.mu.Unlock()
	c.due()
}
