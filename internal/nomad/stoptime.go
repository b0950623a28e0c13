package nomad

import (
	"context"
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
		_, err := items(r, "/v1/node/"+nodeID+"/allocations", q, maxAnswer, maxTokens, func(a *stopping) error {
			if !(&api.Allocation{ClientStatus: a.ClientStatus}).ClientTerminalStatus() {
				longest = max(longest, stopTimeFor(a))
			}
			return nil
		})
		return err
	})
	return longest, err
}

// The fields that are read of an allocation and its job. A job may be large, and decoded into the API's own types it is
// much larger.
type (
	stopping struct {
		ClientStatus, TaskGroup string
		Job                     struct{ TaskGroups []stoppingGroup }
	}
	stoppingGroup struct {
		Name          string
		ShutdownDelay time.Duration
		Tasks         []stoppingTask
	}
	stoppingTask struct {
		ShutdownDelay, KillTimeout time.Duration
		Leader                     bool
		Lifecycle                  struct {
			Hook    string
			Sidecar bool
		}
	}
)

// stopTimeFor is how long an allocation may take to stop. The delay of its group comes first. Then the client stops the
// leader, after it all other tasks at the same time, and after these the sidecars (Nomad:
// client/allocrunner/alloc_runner.go, killTasks). Clients of old versions stop the sidecars together with the others,
// and need less. Poststop tasks run at the end, and aren't counted: a job doesn't declare how long they run.
func stopTimeFor(a *stopping) time.Duration {
	var longest time.Duration
	for _, g := range a.Job.TaskGroups {
		if g.Name != a.TaskGroup {
			continue
		}
		var turns [3]time.Duration
		for _, t := range g.Tasks {
			if turn, ok := t.turn(); ok {
				turns[turn] = max(turns[turn], sumOf(t.ShutdownDelay, t.KillTimeout))
			}
		}
		longest = max(longest, sumOf(g.ShutdownDelay, turns[0], turns[1], turns[2]))
	}
	return longest
}

// turn is when the client stops the task, 0 first. It is false for a task that isn't stopped, but starts when the
// others have ended.
func (t stoppingTask) turn() (int, bool) {
	switch {
	case t.Leader:
		return 0, true
	case t.Lifecycle.Hook == api.TaskLifecycleHookPoststop:
		return 0, false
	case t.Lifecycle.Sidecar:
		return 2, true
	}
	return 1, true
}

// maxStopTime is more than any job needs. Greater sums could overflow.
const maxStopTime = 100 * 365 * 24 * time.Hour

// sumOf adds up durations that a job's author has written, which may have any value.
func sumOf(ds ...time.Duration) time.Duration {
	var sum time.Duration
	for _, d := range ds {
		sum = min(sum+min(max(d, 0), maxStopTime), maxStopTime)
	}
	return sum
}
