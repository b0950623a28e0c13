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

// promised is how long an allocation may take to stop: the delays of its group and of the task come before the signal, and after that the
// task has its kill_timeout (Nomad: client/allocrunner/group_service_hook.go, PreKill; taskrunner/task_runner.go, killTask).
func promised(a *api.Allocation) time.Duration {
	if a.Job == nil {
		return 0
	}
	var longest time.Duration
	for _, g := range a.Job.TaskGroups {
		if g == nil || g.Name == nil || *g.Name != a.TaskGroup {
			continue
		}
		for _, t := range g.Tasks {
			if t != nil {
				longest = max(longest, valueOf(g.ShutdownDelay)+t.ShutdownDelay+valueOf(t.KillTimeout))
			}
		}
	}
	return longest
}

func valueOf(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}
