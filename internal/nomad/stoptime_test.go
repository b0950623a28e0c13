package nomad

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

const someNode = "11111111-1111-4111-8111-111111111111"

func stopTimeOf(t *testing.T, allocs []*api.Allocation) (time.Duration, error) {
	t.Helper()
	body, err := json.Marshal(allocs)
	if err != nil {
		t.Fatal(err)
	}
	return answering(t, saying(string(body))).StopTime(t.Context(), someNode)
}

func TestStopTimeIsTheLongestPromise(t *testing.T) {
	alloc := func(status string, group, delay, kill time.Duration) *api.Allocation {
		task := &api.Task{Name: "t", ShutdownDelay: delay, KillTimeout: &kill}
		other := &api.TaskGroup{Name: new("other"), Tasks: []*api.Task{{Name: "x", ShutdownDelay: time.Hour}}}
		job := &api.Job{
			TaskGroups: []*api.TaskGroup{other, {Name: new("g"), ShutdownDelay: &group, Tasks: []*api.Task{task, {Name: "u"}}}}}
		return &api.Allocation{ID: "a", Job: job, TaskGroup: "g", ClientStatus: status}
	}
	for name, tt := range map[string]struct {
		allocs []*api.Allocation
		want   time.Duration
	}{
		"nothing": {[]*api.Allocation{}, 0},
		"one":     {[]*api.Allocation{alloc("running", 60*time.Second, 0, 20*time.Second)}, 80 * time.Second},
		"the longest": {[]*api.Allocation{alloc("running", 0, time.Second, time.Second),
			alloc("pending", 0, time.Minute, 10*time.Minute)}, 11 * time.Minute},
		"what has ended": {[]*api.Allocation{alloc("complete", time.Hour, 0, 0), alloc("unknown", 0, 0, 5*time.Second)},
			5 * time.Second},
		"without a job": {[]*api.Allocation{{ID: "a", ClientStatus: "running"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := stopTimeOf(t, tt.allocs)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	if _, err := answering(t, saying("[null]")).StopTime(t.Context(), someNode); err == nil {
		t.Error("a list with null in it is believed")
	}
}

// The client stops the leader first, then the others, then the sidecars.
func TestTasksAreStoppedOneTurnAfterTheOther(t *testing.T) {
	task := func(seconds int, change func(*api.Task)) *api.Task {
		t := &api.Task{KillTimeout: new(time.Duration(seconds) * time.Second)}
		change(t)
		return t
	}
	main := func(*api.Task) {}
	leader := func(t *api.Task) { t.Leader = true }
	hook := func(hook string, sidecar bool) func(*api.Task) {
		return func(t *api.Task) { t.Lifecycle = &api.TaskLifecycle{Hook: hook, Sidecar: sidecar} }
	}
	sidecar, poststop := hook(api.TaskLifecycleHookPrestart, true), hook(api.TaskLifecycleHookPoststop, false)
	for name, tt := range map[string]struct {
		delay time.Duration
		tasks []*api.Task
		want  time.Duration
	}{
		"leader and shipper": {0, []*api.Task{task(60, leader), task(60, sidecar)}, 120 * time.Second},
		"all three": {5 * time.Second,
			[]*api.Task{task(60, sidecar), task(10, main), task(30, leader), task(20, main)}, 115 * time.Second},
		"equals at once": {0,
			[]*api.Task{task(10, main), task(20, main), task(30, hook(api.TaskLifecycleHookPrestart, false))}, 30 * time.Second},
		"sidecars at once": {0,
			[]*api.Task{task(10, sidecar), task(20, hook(api.TaskLifecycleHookPoststart, true))}, 20 * time.Second},
		"a leader that is a sidecar": {0,
			[]*api.Task{task(10, func(t *api.Task) { leader(t); sidecar(t) }), task(20, main)}, 30 * time.Second},
		"poststop tasks are unknown": {0, []*api.Task{task(10, main), task(60, poststop)}, 10 * time.Second},
		"delays are each task's own": {0,
			[]*api.Task{task(10, func(t *api.Task) { leader(t); t.ShutdownDelay = time.Second }), task(20, main)},
			31 * time.Second},
		"more than fits into a number": {math.MaxInt64,
			[]*api.Task{task(math.MaxInt64/int(time.Second), leader), task(60, sidecar)}, maxStopTime},
		"less than nothing": {math.MinInt64, []*api.Task{task(-60, leader), nil, task(60, sidecar)}, 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			group := &api.TaskGroup{Name: new("g"), ShutdownDelay: &tt.delay, Tasks: tt.tasks}
			allocs := []*api.Allocation{
				{TaskGroup: "g", ClientStatus: "running", Job: &api.Job{TaskGroups: []*api.TaskGroup{nil, group}}}}
			if got, err := stopTimeOf(t, allocs); err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}
