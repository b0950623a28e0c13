package nomad

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/nomad/api"
)

// stopTime asks for the node's allocations with their jobs. The list that the watchers poll has no jobs in it.
func (r *remote) stopTime(ctx context.Context, nodeID string) (time.Duration, error) {
	if err := checkNodeID(nodeID); err != nil {
		return 0, err
	}
	var longest time.Duration
	err := r.query(ctx, "list the allocations of node "+nodeID, api.QueryOptions{}, func(q *api.QueryOptions) error {
		allocs, _, err := r.api.Nodes().Allocations(nodeID, q)
		if err := errors.Join(err, whole(allocs)); err != nil {
			return err
		}
		for _, a := range allocs {
			if !a.ClientTerminalStatus() {
				longest = max(longest, promised(a))
			}
		}
		return nil
	})
	return longest, err
}

// promised is how long an allocation may take to stop. The delay of its group comes first. Then the client stops the leader, after
// it all other tasks at the same time, and after these the sidecars (Nomad: client/allocrunner/alloc_runner.go, killTasks). Clients
// of old versions stop the sidecars together with the others, and need less. How long the poststop tasks run that come at
// the end nobody has said: they aren't in it.
func promised(a *api.Allocation) time.Duration {
	if a.Job == nil {
		return 0
	}
	var longest time.Duration
	for _, g := range a.Job.TaskGroups {
		if g == nil || g.Name == nil || *g.Name != a.TaskGroup {
			continue
		}
		var turns [3]time.Duration
		for _, t := range g.Tasks {
			if t != nil && !isPoststop(t) {
				turns[turnOf(t)] = max(turns[turnOf(t)], inAll(t.ShutdownDelay, valueOf(t.KillTimeout)))
			}
		}
		longest = max(longest, inAll(valueOf(g.ShutdownDelay), turns[0], turns[1], turns[2]))
	}
	return longest
}

// turnOf is when the client stops a task: 0 first.
func turnOf(t *api.Task) int {
	switch {
	case t.Leader:
		return 0
	case t.Lifecycle != nil && t.Lifecycle.Sidecar:
		return 2
	}
	return 1
}

// isPoststop: the task begins when the others have stopped.
func isPoststop(t *api.Task) bool {
	return t.Lifecycle != nil && t.Lifecycle.Hook == api.TaskLifecycleHookPoststop && !t.Leader
}

// forEver is more than any job is promised. A sum that were greater would turn negative before long.
const forEver = 100 * 365 * 24 * time.Hour

// inAll adds up what a job's author has written: anything.
func inAll(ds ...time.Duration) time.Duration {
	var sum time.Duration
	for _, d := range ds {
		sum = min(sum+min(max(d, 0), forEver), forEver)
	}
	return sum
}

func valueOf(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}
