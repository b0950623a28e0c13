package e2e

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

const (
	// drainPoll is how often Nomad is looked at.
	drainPoll = 300 * time.Millisecond
	// stallAfter is how long a node may be "draining" without live allocations before it counts as stalled. Nomad's
	// drainer completes a drain within its batch of one second (Nomad: nomad/drainer/drainer.go).
	stallAfter = 1500 * time.Millisecond
)

// drainWatch looks for drains of a pool's nodes that don't complete though nothing is left to be moved.
type drainWatch struct {
	nomad *api.Client
	pool  string
	end   context.CancelFunc
	ended chan error

	mu     sync.Mutex
	since  map[string]time.Time     // since when a node is draining and empty
	lasted map[string]time.Duration // for how long it was at most
}

func watchDrains(c *api.Client, pool string) *drainWatch {
	ctx, cancel := context.WithCancel(context.Background())
	d := &drainWatch{nomad: c, pool: pool, end: cancel, ended: make(chan error, 1), since: map[string]time.Time{},
		lasted: map[string]time.Duration{}}
	go func() { d.ended <- d.run(ctx) }()
	return d
}

// stop ends the watch and returns the stalled nodes by name, and for how long each was seen so.
func (d *drainWatch) stop(t *testing.T) map[string]time.Duration {
	t.Helper()
	d.end()
	if err := <-d.ended; err != nil {
		t.Fatalf("watching the drains: %v", err)
	}
	return d.stalled()
}

func (d *drainWatch) stalled() map[string]time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := maps.Clone(d.lasted)
	maps.DeleteFunc(out, func(_ string, lasted time.Duration) bool { return lasted < stallAfter })
	return out
}

func (d *drainWatch) run(ctx context.Context) error {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for {
		if err := d.poll(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look reads the allocations first: a node that drains afterwards can't have got one in between.
func (d *drainWatch) poll(ctx context.Context) error {
	live := map[string]int{}
	q := &api.QueryOptions{
		Namespace: "*",
		Filter:    `ClientStatus == "running" or ClientStatus == "pending" or ClientStatus == "unknown"`,
	}
	allocations, _, err := d.nomad.Allocations().List(q.WithContext(ctx))
	if err != nil {
		return err
	}
	for _, a := range allocations {
		live[a.NodeID]++
	}
	read := time.Now()
	nodes, _, err := d.nomad.Nodes().
		List((&api.QueryOptions{Filter: fmt.Sprintf("NodePool == %q", d.pool)}).WithContext(ctx))
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range nodes {
		if !n.Drain || live[n.ID] > 0 {
			delete(d.since, n.ID)
			continue
		}
		if _, known := d.since[n.ID]; !known {
			d.since[n.ID] = time.Now()
		}
		d.lasted[n.Name] = max(d.lasted[n.Name], read.Sub(d.since[n.ID]))
	}
	return nil
}
