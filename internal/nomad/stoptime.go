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
				longest = max(longest, promised(a))
			}
			return nil
		})
		return err
	})
	return longest, err
}

// What is read of an allocation with its job: a job may be large, and the API's own types make much more of it.
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

// promised is how long an allocation may take to stop. The delay of its group comes first. Then the client stops the
// leader, after it all other tasks at the same time, and after these the sidecars (Nomad:
// client/allocrunner/alloc_runner.go, killTasks). Clients of old versions stop the sidecars together with the others,
// and need less. How long the poststop tasks run that come at the end nobody has said: they aren't in it.
func promised(a *stopping) time.Duration {
	var longest time.Duration
	for _, g := range a.Job.TaskGroups {
		if g.Name != a.TaskGroup {
			continue
		}
		var turns [3]time.Duration
		for _, t := range g.Tasks {
			if turn, ok := t.turn(); ok {
				turns[turn] = max(turns[turn], inAll(t.ShutdownDelay, t.KillTimeout))
			}
		}
		longest = max(longest, inAll(g.ShutdownDelay, turns[0], turns[1], turns[2]))
	}
	return longest
}

// turn is when the client stops the task: 0 first; false: it isn't stopped, but begins when the others have ended.
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
