package client

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// States of a task.
const (
	taskPending = "pending"
	taskRunning = "running"
	taskDead    = "dead"
)

// keptEvents is how many events of a task are kept.
const keptEvents = 10

// task runs one task.
type task struct {
	alloc *alloc
	spec  *api.Task

	mu     sync.Mutex
	state  api.TaskState
	handle *handle   // of the process that runs, or ran when the state was kept
	ran    bool      // run was called
	dead   chan bool // closed when it is dead
}

func newTask(a *alloc, spec *api.Task, former *api.TaskState) *task {
	t := &task{alloc: a, spec: spec, state: api.TaskState{State: taskPending}, dead: make(chan bool)}
	if former != nil {
		t.state = *former
		if former.State == taskDead {
			close(t.dead)
		}
	}
	return t
}

func (t *task) isSidecar() bool { return t.spec.Lifecycle != nil && t.spec.Lifecycle.Sidecar }

func (t *task) isDead() bool {
	select {
	case <-t.dead:
		return true
	default:
		return false
	}
}

func (t *task) awaitDead() { <-t.dead }

// skip has the task be dead without having run.
func (t *task) skip() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.die()
}

// skipUnlessStarted looks and skips in one step, so that it can't begin in between.
func (t *task) skipUnlessStarted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ran {
		t.die()
	}
}

// die has the task be dead if it isn't. The lock is held.
func (t *task) die() {
	if t.state.State != taskDead {
		t.state.State, t.state.FinishedAt = taskDead, time.Now().UTC()
		close(t.dead)
	}
}

// snapshot is the task's state.
func (t *task) snapshot() *api.TaskState {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state
	s.Events = slices.Clone(s.Events)
	return &s
}

func (t *task) event(kind, message string, change func(*api.TaskState)) {
	t.eventWith(kind, message, nil, change)
}

func (t *task) eventWith(kind, message string, details map[string]string, change func(*api.TaskState)) {
	t.mu.Lock()
	t.state.Events = append(t.state.Events,
		&api.TaskEvent{Type: kind, Time: time.Now().UnixNano(), DisplayMessage: message, Details: details})
	t.state.Events = t.state.Events[max(0, len(t.state.Events)-keptEvents):]
	if change != nil {
		change(&t.state)
	}
	t.mu.Unlock()
	t.alloc.client.due()
}

// receive says that the task is here, if that wasn't said before.
func (t *task) receive() {
	if s := t.snapshot(); s.State == taskPending && len(s.Events) == 0 {
		t.event(api.TaskReceived, "Task received by client", nil)
	}
}

// hasBegun reports if the task was set up, or is over.
func (t *task) hasBegun() bool {
	s := t.snapshot()
	return s.State != taskPending ||
		slices.ContainsFunc(s.Events, func(e *api.TaskEvent) bool { return e.Type != api.TaskReceived })
}

// run runs the task until it has ended for good, or killed is closed, and reports if it ended well.
func (t *task) run(killed <-chan struct{}) bool {
	if !t.begin() {
		return true
	}
	t.event(api.TaskSetup, "Building Task Directory", nil)
	var restarts []time.Time
	for {
		ok, stopped := t.once(killed)
		if stopped || ok && !t.restartsAlways() {
			return t.finish(ok || stopped)
		}
		wait, again := t.restart(&restarts, time.Now())
		if !again {
			t.event("Not Restarting", "Exceeded allowed attempts, applying a delay or failing", nil)
			return t.finish(false)
		}
		t.event("Restarting", fmt.Sprintf("Task restarting in %s", wait), func(s *api.TaskState) {
			s.State, s.Restarts, s.LastRestart = taskPending, s.Restarts+1, time.Now().UTC()
		})
		select {
		case <-killed:
			return t.finish(true)
		case <-time.After(wait):
		}
	}
}

// begin has the task count as run, unless the end of the others has come before it.
func (t *task) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.State == taskDead {
		return false
	}
	t.ran = true
	return true
}

// restartsAlways reports if the task isn't meant to end.
func (t *task) restartsAlways() bool {
	if t.spec.Lifecycle != nil {
		return t.isSidecar()
	}
	kind := state.Value(t.alloc.spec.Load().Job.Type)
	return kind == state.TypeService || kind == state.TypeSystem
}

// restart is how long to wait before the task is started again, if it is, by the policy of task or group.
func (t *task) restart(former *[]time.Time, now time.Time) (time.Duration, bool) {
	p := t.spec.RestartPolicy
	if p == nil {
		p = t.alloc.group().RestartPolicy
	}
	if p == nil {
		return 0, false
	}
	*former = slices.DeleteFunc(*former, func(at time.Time) bool { return now.Sub(at) > state.Value(p.Interval) })
	if len(*former) < state.Value(p.Attempts) {
		*former = append(*former, now)
		return state.Value(p.Delay), true
	}
	if state.Value(p.Mode) == "delay" {
		wait := state.Value(p.Interval)
		if len(*former) > 0 {
			wait -= now.Sub((*former)[0])
		}
		*former = nil
		return max(wait, state.Value(p.Delay)), true
	}
	return 0, false
}

// once runs the task once. It reports if that ended well, and if it was killed.
func (t *task) once(killed <-chan struct{}) (ok, stopped bool) {
	d := t.alloc.client.drivers[t.spec.Driver]
	if d == nil {
		t.event("Driver Failure", fmt.Sprintf("driver %q isn't there", t.spec.Driver), nil)
		return false, false
	}
	t.mu.Lock()
	h := t.handle
	t.mu.Unlock()
	p := d.recover(h)
	if p == nil {
		var err error
		select {
		case <-killed:
			return true, true
		default:
		}
		if p, err = d.start(t); err != nil {
			t.event("Driver Failure", err.Error(), nil)
			return false, false
		}
	}
	t.mu.Lock()
	t.handle = p.handle()
	t.mu.Unlock()
	t.event("Started", "Task started by client", func(s *api.TaskState) {
		s.State = taskRunning
		if s.StartedAt.IsZero() {
			s.StartedAt = time.Now().UTC()
		}
	})
	t.keep()
	defer func() {
		t.mu.Lock()
		t.handle = nil
		t.mu.Unlock()
	}()
	select {
	case <-p.done():
		err := p.result()
		code := exitCode(err)
		t.eventWith("Terminated", fmt.Sprintf("Exit Code: %d", code), map[string]string{"exit_code": strconv.Itoa(code)}, nil)
		return err == nil, false
	case <-killed:
		t.kill(p)
		return true, true
	}
}

func (t *task) keep() {
	if err := t.alloc.client.persist(); err != nil {
		t.alloc.client.log.Error("keeping state", "error", err)
	}
}

func exitCode(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return 0
}

// kill waits for shutdown_delay, then asks the process to end, and after kill_timeout ends it.
func (t *task) kill(p process) {
	if delay := t.spec.ShutdownDelay; delay > 0 {
		t.event("Waiting for shutdown delay", fmt.Sprintf("Waiting for shutdown_delay of %s before killing the task", delay),
			nil)
		select {
		case <-p.done():
		case <-time.After(delay):
		}
	}
	timeout := min(state.Value(t.spec.KillTimeout), t.alloc.client.config.Client.MaxKillTimeout)
	t.event("Killing", fmt.Sprintf("Sent interrupt. Waiting %s before force killing", timeout), nil)
	p.signal(t.spec.KillSignal)
	select {
	case <-p.done():
	case <-time.After(timeout):
		p.kill()
		<-p.done()
	}
	t.event("Killed", "Task successfully killed", nil)
}

// finish has the task be dead.
func (t *task) finish(ok bool) bool {
	t.mu.Lock()
	t.state.State, t.state.Failed, t.state.FinishedAt = taskDead, !ok, time.Now().UTC()
	t.mu.Unlock()
	close(t.dead)
	t.keep()
	t.alloc.client.due()
	return ok
}

// dir is the task's own directory.
func (t *task) dir() string { return filepath.Join(t.alloc.dir, t.spec.Name) }
