package client

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/config"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// newClient is one that no server knows, with both drivers.
func newClient(t *testing.T) *Client {
	t.Helper()
	c := &config.Agent{DataDir: t.TempDir()}
	c.Client.MaxKillTimeout = time.Second
	c.Plugin = map[string]any{"raw_exec": map[string]any{"config": map[string]any{"enabled": true}}}
	cl, err := New(c, nil, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// running starts an allocation of a batch job with these tasks.
func running(t *testing.T, c *Client, tasks ...*api.Task) (*alloc, <-chan struct{}) {
	t.Helper()
	group := &api.TaskGroup{Name: new("g"), Tasks: tasks, RestartPolicy: &api.RestartPolicy{
		Attempts: new(1), Interval: new(time.Minute), Delay: new(time.Millisecond), Mode: new("fail"),
	}}
	spec := &api.Allocation{
		ID: uuid.NewString(), TaskGroup: "g", DesiredStatus: state.DesiredRun,
		Job: &api.Job{ID: new("j"), Type: new(state.TypeBatch), TaskGroups: []*api.TaskGroup{group}},
	}
	a, ended := newAlloc(c, spec), make(chan struct{})
	go func() { a.run(t.Context()); close(ended) }()
	return a, ended
}

func mockTask(name string, settings map[string]any) *api.Task {
	return &api.Task{Name: name, Driver: "mock_driver", Config: settings, KillTimeout: new(time.Second)}
}

func hooked(hook string, t *api.Task) *api.Task {
	t.Lifecycle = &api.TaskLifecycle{Hook: hook}
	return t
}

func await(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the allocation goes on")
	}
}

// The status of an allocation follows from how its tasks end, after as many restarts as their policy allows.
func TestEndOfAllocation(t *testing.T) {
	well, badly := map[string]any{"run_for": "1ms"}, map[string]any{"run_for": "1ms", "exit_code": 3}
	for name, test := range map[string]struct {
		tasks    []*api.Task
		status   string
		restarts uint64
	}{
		"ends well": {[]*api.Task{mockTask("main", well)}, state.ClientComplete, 0},
		"fails":     {[]*api.Task{mockTask("main", badly)}, state.ClientFailed, 1},
		"can't be started": {[]*api.Task{mockTask("main", map[string]any{"start_error": "no"})}, state.ClientFailed,
			1},
		"has no driver": {[]*api.Task{{Name: "main", Driver: "docker"}}, state.ClientFailed, 1},
		"a prestart task fails": {[]*api.Task{mockTask("main", well), hooked("prestart", mockTask("before", badly))},
			state.ClientFailed, 0},
		"has tasks before and after": {[]*api.Task{mockTask("main", well), hooked("prestart", mockTask("before", well)),
			hooked("poststop", mockTask("after", well))}, state.ClientComplete, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, ended := running(t, newClient(t), test.tasks...)
			await(t, ended)
			status, states := a.status()
			if status != test.status || states["main"].Restarts != test.restarts {
				t.Errorf("%s after %d restarts, want %s after %d", status, states["main"].Restarts, test.status, test.restarts)
			}
			for name, s := range states {
				if s.State != taskDead || s.FinishedAt.IsZero() {
					t.Errorf("%s is %s, finished at %s", name, s.State, s.FinishedAt)
				}
			}
		})
	}
}

// A stop ends what runs for ever, and the poststop task runs after that.
func TestStopRunsPoststop(t *testing.T) {
	a, ended := running(t, newClient(t), mockTask("main", map[string]any{"run_for": "1h"}),
		hooked("poststop", mockTask("after", map[string]any{"run_for": "1ms"})))
	for a.tasks[0].snapshot().State != taskRunning {
		time.Sleep(time.Millisecond)
	}
	stop := *a.spec.Load()
	stop.DesiredStatus = state.DesiredStop
	a.update(&stop)
	await(t, ended)
	status, states := a.status()
	if status != state.ClientComplete || states["after"].StartedAt.Before(states["main"].FinishedAt) {
		t.Errorf("%s; main finished at %s, after started at %s", status, states["main"].FinishedAt, states["after"].StartedAt)
	}
}

// The end of the main task may come before what was to run beside it has begun: that is dead then, and doesn't begin
// after all.
func TestTaskThatWasSkippedDoesNotBegin(t *testing.T) {
	spec := &api.Allocation{ID: uuid.NewString()}
	beside := newTask(newAlloc(newClient(t), spec), hooked("poststart", mockTask("beside", nil)), nil)
	beside.skipUnlessStarted()
	if !beside.run(make(chan struct{})) {
		t.Error("it has failed")
	}
	if s := beside.snapshot(); s.State != taskDead || !s.StartedAt.IsZero() {
		t.Errorf("it is %s, and began at %s", s.State, s.StartedAt)
	}
}
