package simclient

import (
	"context"
	"fmt"
	"net/rpc"
	"time"
)

// pollTime is how long the server may hold a request for allocations.
const pollTime = 60 * time.Second

const (
	running  = "running"
	complete = "complete"
)

// watchAllocations plays the client's allocation loop: wait for a change, fetch, report.
func (c *Client) watchAllocations(ctx context.Context, watch, reports *rpc.Client) error {
	index := uint64(0)
	for ctx.Err() == nil {
		reply, err := c.call(watch, "Node.GetClientAllocs", message{
			"NodeID": c.state.id, "SecretID": c.state.secret, "MinQueryIndex": index,
			"MaxQueryTime": int64(pollTime), "AllowStale": true,
		})
		if err != nil {
			return fmt.Errorf("watch allocations: %w", err)
		}
		index = reply.unsigned("Index")
		known, _ := reply["Allocs"].(map[string]any)
		c.forgetAllExcept(known)
		if len(known) == 0 {
			continue
		}
		if err := c.follow(ctx, watch, reports, known); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// forgetAllExcept drops allocations that the server has garbage collected.
func (c *Client) forgetAllExcept(known map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.allocs {
		if _, ok := known[id]; !ok {
			delete(c.allocs, id)
		}
	}
}

// follow does with every allocation what the server wants done. The request for them has no MinQueryIndex:
// with one it would block.
func (c *Client) follow(ctx context.Context, watch, reports *rpc.Client, known map[string]any) error {
	ids := make([]string, 0, len(known))
	for id := range known {
		ids = append(ids, id)
	}
	reply, err := c.call(watch, "Alloc.GetAllocs", message{"AllocIDs": ids, "AllowStale": true})
	if err != nil {
		return fmt.Errorf("get allocations: %w", err)
	}
	list, _ := reply["Allocs"].([]any)
	var starting, stopping []message
	for _, item := range list {
		alloc, _ := item.(map[string]any)
		switch update := c.next(alloc); {
		case update == nil:
		case update["ClientStatus"] == running:
			starting = append(starting, update)
		default:
			stopping = append(stopping, update)
		}
	}
	if err := c.report(reports, starting); err != nil {
		return err
	}
	if c.options.StopDelay == 0 {
		return c.report(reports, stopping)
	}
	go func() {
		select {
		case <-ctx.Done(): // stops are reported by the next session
			c.unreported(stopping)
		case <-time.After(c.options.StopDelay):
			if c.report(reports, stopping) != nil {
				c.unreported(stopping)
			}
		}
	}()
	return nil
}

// next is the update to report for an allocation, nil if there is none. Health is reported at once: without
// it a drain would wait for a replacement to become healthy.
func (c *Client) next(alloc message) message {
	id, want := alloc.text("ID"), running
	if alloc.text("DesiredStatus") != "run" {
		want = complete
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == "" || c.allocs[id] == want {
		return nil
	}
	c.allocs[id] = want
	update := message{
		"ID": id, "NodeID": c.state.id, "ClientStatus": want,
		"JobID": alloc["JobID"], "Namespace": alloc["Namespace"], "TaskGroup": alloc["TaskGroup"],
	}
	if want == running {
		update["DeploymentStatus"] = message{"Healthy": true}
	}
	return update
}

func (c *Client) report(reports *rpc.Client, updates []message) error {
	if len(updates) == 0 {
		return nil
	}
	if _, err := c.call(reports, "Node.UpdateAlloc", message{"Alloc": updates}); err != nil {
		c.unreported(updates)
		return fmt.Errorf("report allocations: %w", err)
	}
	return nil
}

// unreported makes the updates due again.
func (c *Client) unreported(updates []message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, update := range updates {
		delete(c.allocs, update.text("ID"))
	}
}
