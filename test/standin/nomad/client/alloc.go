package client

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// alloc runs one allocation.
type alloc struct {
	client *Client
	id     string
	dir    string

	spec    atomic.Pointer[api.Allocation] // as the servers have it; never changed, but replaced
	tasks   []*task
	stop    chan struct{} // closed when it is to stop
	stopped sync.Once

	mu      sync.Mutex
	healthy *bool
	over    bool // before it began
	last    *api.Allocation
}

func newAlloc(c *Client, spec *api.Allocation) *alloc {
	a := &alloc{client: c, id: spec.ID, dir: filepath.Join(c.allocDir, spec.ID), stop: make(chan struct{})}
	a.spec.Store(spec)
	if group := a.group(); group != nil {
		for _, t := range group.Tasks {
			a.tasks = append(a.tasks, newTask(a, t, spec.TaskStates[t.Name]))
		}
	}
	return a
}

func (a *alloc) group() *api.TaskGroup { return state.GroupOf(a.spec.Load()) }

// version is that of the servers' last change.
func (a *alloc) version() uint64 { return a.spec.Load().AllocModifyIndex }

// update takes what the servers have changed.
func (a *alloc) update(spec *api.Allocation) {
	a.spec.Store(spec)
	if spec.DesiredStatus != state.DesiredRun {
		a.stopped.Do(func() { close(a.stop) })
	}
}

// destroy stops what the servers have forgotten, and removes what is left of it.
func (a *alloc) destroy() {
	a.stopped.Do(func() { close(a.stop) })
	for _, t := range a.tasks {
		t.awaitDead()
	}
	if err := os.RemoveAll(a.dir); err != nil {
		a.client.log.Warn("removing the directory of an allocation", "alloc", a.id, "error", err)
	}
}

// awaitShutdownDelay waits for the shutdown_delay of the group, before any task is asked to stop (facts/nomad.md §2);
// that of a task comes after it.
func (a *alloc) awaitShutdownDelay(ctx context.Context) {
	group := a.group()
	if group == nil || state.Value(group.ShutdownDelay) <= 0 {
		return
	}
	select {
	case <-time.After(*group.ShutdownDelay):
	case <-ctx.Done():
	}
}

// end has the allocation be over without having begun.
func (a *alloc) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for _, t := range a.tasks {
		t.skip()
	}
}

// run takes the tasks through their lifecycle: prestart, then the main ones with their sidecars, then poststop.
func (a *alloc) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if fresh := a.prepare(ctx); fresh && a.isToStop() { // while it fetched its disk
		a.end()
		a.client.due()
		return
	}
	go a.watchHealth(ctx)
	killed := make(chan struct{}) // closed when the main tasks and sidecars are to be killed
	var kill sync.Once
	killAll := func() { kill.Do(func() { close(killed) }) }
	go func() {
		select {
		case <-a.stop:
			a.awaitShutdownDelay(ctx)
			killAll()
		case <-ctx.Done():
		}
	}()
	failed := a.phase(killed, killAll, isPrestart, false)
	if !failed {
		a.phase(killed, killAll, isMain, true)
	}
	killAll()
	for _, t := range a.tasks {
		if !isPoststop(t) {
			t.skipUnlessStarted()
			t.awaitDead()
		}
	}
	a.phase(make(chan struct{}), func() {}, isPoststop, false) // neither a stop nor a failure keeps these from running
	a.client.due()
}

func (a *alloc) isToStop() bool {
	select {
	case <-a.stop:
		return true
	default:
		return false
	}
}

// prepare makes the directory, and fetches what the allocation before has left in its own, before any task is set up.
// fresh is true if none was.
func (a *alloc) prepare(ctx context.Context) (fresh bool) {
	fresh = !a.hasBegun()
	for _, t := range a.tasks {
		t.receive()
	}
	a.makeDir()
	if fresh {
		a.fetch(ctx)
	}
	return fresh
}

func (a *alloc) makeDir() {
	for _, dir := range []string{"alloc/logs", "alloc/data", "alloc/tmp"} {
		if err := os.MkdirAll(filepath.Join(a.dir, dir), 0o777); err != nil {
			a.client.log.Error("making the directory of an allocation", "alloc", a.id, "error", err)
		}
	}
}

// hasBegun reports if a task was set up, here or by an earlier agent.
func (a *alloc) hasBegun() bool {
	for _, t := range a.tasks {
		if t.hasBegun() {
			return true
		}
	}
	return false
}

// phase runs the tasks of a kind, and returns when all of them that aren't sidecars have ended. It reports if one
// failed: then the others are killed.
func (a *alloc) phase(killed chan struct{}, killAll func(), kind func(*task) bool, main bool) (failed bool) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	started := time.Now()
	for _, t := range a.tasks {
		if !kind(t) || t.isDead() {
			continue
		}
		run := func() {
			ok := t.run(killed)
			mu.Lock()
			defer mu.Unlock()
			if !ok {
				failed = true
				killAll()
			} else if t.spec.Leader {
				killAll()
			}
		}
		if t.isSidecar() {
			go run()
			continue
		}
		wait.Go(run)
	}
	if main {
		a.poststart(killed, started)
	}
	wait.Wait()
	return failed
}

// poststart starts the tasks that come after the main ones.
func (a *alloc) poststart(killed chan struct{}, _ time.Time) {
	for _, t := range a.tasks {
		if isPoststart(t) && !t.isDead() {
			go t.run(killed)
		}
	}
}

func hook(t *task) string {
	if t.spec.Lifecycle == nil {
		return ""
	}
	return t.spec.Lifecycle.Hook
}

func isMain(t *task) bool      { return hook(t) == "" }
func isPrestart(t *task) bool  { return hook(t) == api.TaskLifecycleHookPrestart }
func isPoststart(t *task) bool { return hook(t) == api.TaskLifecycleHookPoststart }
func isPoststop(t *task) bool  { return hook(t) == api.TaskLifecycleHookPoststop }

// watchHealth says that a service is healthy once all of it has run for as long as its strategy asks. Without that no
// drain goes on (facts/nomad.md §2).
func (a *alloc) watchHealth(ctx context.Context) {
	group := a.group()
	if group == nil || state.Value(a.spec.Load().Job.Type) != state.TypeService {
		return
	}
	least, deadline := 10*time.Second, 5*time.Minute
	switch u, m := group.Update, group.Migrate; {
	case u != nil && state.Value(u.MaxParallel) > 0:
		least, deadline = state.Value(u.MinHealthyTime), state.Value(u.HealthyDeadline)
	case m != nil:
		least, deadline = state.Value(m.MinHealthyTime), state.Value(m.HealthyDeadline)
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	began, since := time.Now(), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.stop:
			return
		case now := <-ticker.C:
			up := a.allUp()
			if !up {
				since = time.Time{}
			} else if since.IsZero() {
				since = now
			}
			switch {
			case up && now.Sub(since) >= least:
				a.judge(true)
				return
			case now.Sub(began) > deadline:
				a.judge(false)
				return
			}
		}
	}
}

func (a *alloc) judge(healthy bool) {
	a.mu.Lock()
	a.healthy = &healthy
	a.mu.Unlock()
	a.client.due()
}

// allUp reports if every task runs that is to run for long.
func (a *alloc) allUp() bool {
	for _, t := range a.tasks {
		if (isMain(t) || t.isSidecar()) && t.snapshot().State != taskRunning {
			return false
		}
	}
	return true
}

// status is the allocation's, as it follows from its tasks. One that failed makes it failed, though others are yet to
// run.
func (a *alloc) status() (string, map[string]*api.TaskState) {
	states := map[string]*api.TaskState{}
	var failed, running, pending bool
	for _, t := range a.tasks {
		s := t.snapshot()
		states[t.spec.Name] = s
		failed = failed || s.State == taskDead && s.Failed
		running = running || s.State == taskRunning
		pending = pending || s.State == taskPending
	}
	switch {
	case failed:
		return state.ClientFailed, states
	case running:
		return state.ClientRunning, states
	case pending:
		return state.ClientPending, states
	}
	return state.ClientComplete, states
}

// unreported is what the servers don't know yet, nil if they know all.
func (a *alloc) unreported() *api.Allocation {
	status, states := a.status()
	spec := a.spec.Load()
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &api.Allocation{
		ID: a.id, NodeID: a.client.identity.id, Namespace: spec.Namespace, JobID: spec.JobID, TaskGroup: spec.TaskGroup,
		ClientStatus: status, TaskStates: states, ClientDescription: describe(status),
	}
	if a.healthy != nil {
		r.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: a.healthy}
	}
	if l := a.last; l != nil && l.ClientStatus == status && sameHealth(l, r) &&
		maps.EqualFunc(l.TaskStates, states, sameState) {
		return nil
	}
	return r
}

func (a *alloc) reported(r *api.Allocation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = r
}

func describe(status string) string {
	return map[string]string{
		state.ClientPending: "No tasks have started", state.ClientRunning: "Tasks are running",
		state.ClientComplete: "All tasks have completed",
		state.ClientFailed:   "Failed tasks",
	}[status]
}

func sameHealth(a, b *api.Allocation) bool {
	return (a.DeploymentStatus == nil) == (b.DeploymentStatus == nil)
}

func sameState(a, b *api.TaskState) bool {
	return a.State == b.State && a.Failed == b.Failed && a.Restarts == b.Restarts && len(a.Events) == len(b.Events)
}
