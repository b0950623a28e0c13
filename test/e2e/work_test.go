package e2e

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// forever is how long the tasks of services sleep.
const forever = 24 * time.Hour

// service runs a job on a pool whose allocations, spread over the nodes, have to be moved.
func service(t *testing.T, pool, id string, count int) {
	t.Helper()
	run(t, api.NewServiceJob(id, id, "global", 50), pool, count, forever)
}

// batch runs a job on a pool whose allocations end by themselves: a drain waits for them until its deadline.
func batch(t *testing.T, pool, id string, count int, sleep time.Duration) {
	t.Helper()
	run(t, api.NewBatchJob(id, id, "global", 50), pool, count, sleep)
}

func run(t *testing.T, job *api.Job, pool string, count int, sleep time.Duration) {
	t.Helper()
	register(t, job, pool, count, sleep)
	running(t, *job.ID, count)
}

// register runs a job, whose task may be changed, and doesn't wait for its allocations.
func register(t *testing.T, job *api.Job, pool string, count int, sleep time.Duration, change ...func(*api.Task)) {
	t.Helper()
	task := api.NewTask("sleep", "raw_exec").
		SetConfig("command", "sleep").SetConfig("args", []string{strconv.Itoa(int(sleep.Seconds()))}).
		Require(&api.Resources{CPU: new(50), MemoryMB: new(16)})
	task.KillTimeout = new(2 * time.Second)
	for _, c := range change {
		c(task)
	}
	group := api.NewTaskGroup("sleep", count).AddTask(task)
	switch *job.Type {
	case api.JobTypeSystem, api.JobTypeSysbatch:
		group.Count = new(1) // on each node
	default:
		group.AddSpread(api.NewSpread("${node.unique.id}", 100, nil))
	}
	if *job.Type == api.JobTypeService {
		job.Update = &api.UpdateStrategy{MaxParallel: new(0)} // no deployments, which would write for some time
		group.Migrate = &api.MigrateStrategy{
			MaxParallel: new(
				1), HealthCheck: new("task_states"), MinHealthyTime: new(500 * time.Millisecond), HealthyDeadline: new(time.Minute),
		}
	}
	job.AddDatacenter("dc1").AddTaskGroup(group).NodePool = new(pool)
	submit(t, job)
}

// submit registers a job that is stopped once the test is over. It isn't purged: a real server of Nomad 1.11.3 crashed
// once when a job was purged under a drain (planner.applyPlan). So each job of an environment has a name of its own.
func submit(t *testing.T, job *api.Job) {
	t.Helper()
	if _, _, err := w.Nomad.Jobs().Register(job, nil); err != nil {
		t.Fatalf("running job %s: %v", *job.ID, err)
	}
	t.Cleanup(func() {
		if _, _, err := w.Nomad.Jobs().Deregister(*job.ID, false, nil); err != nil {
			t.Errorf("stopping job %s: %v", *job.ID, err)
		}
	})
}

// running waits until a job has as many allocations as it wants; of a batch job, some may have run already.
func running(t *testing.T, job string, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*time.Minute)
	defer cancel()
	err := process.WaitFor(ctx, 100*time.Millisecond, fmt.Sprintf("%d allocations of job %s", count, job),
		func(context.Context) error {
			got := 0
			for _, a := range allocations(t, job) {
				if a.DesiredStatus == api.AllocDesiredStatusRun &&
					(a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusComplete) {
					got++
				}
			}
			if got != count {
				return fmt.Errorf("%d run", got)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

func allocations(t *testing.T, job string) []*api.AllocationListStub {
	t.Helper()
	all, _, err := w.Nomad.Jobs().Allocations(job, true, nil)
	if err != nil {
		t.Fatalf("listing the allocations of %s: %v", job, err)
	}
	return all
}

// migrating is how Nomad explains that it moves an allocation (Nomad: scheduler/reconciler, allocMigrating).
const migrating = "alloc is being migrated"

// tainted is how it explains that it stops one of a system job, which can't be moved (Nomad: scheduler/reconciler,
// allocNodeTainted).
const tainted = "alloc not needed as node is tainted"

// noneLost checks that each allocation of a job runs, was moved by a drain, or (of a batch job) came to its own end;
// and that it had ended before its guest was told to power off. It returns how many were moved.
func noneLost(t *testing.T, job string) int {
	t.Helper()
	off := map[string]time.Time{} // by Nomad node ID
	for _, e := range w.Hypervisor.Trace() {
		if _, known := off[e.NodeID]; !known && (e.Kind == hypervisor.GuestStopping || e.Kind == hypervisor.GuestStopped) {
			off[e.NodeID] = e.Time
		}
	}
	moved := 0
	for _, a := range allocations(t, job) {
		what := fmt.Sprintf("allocation %s of %s on %s", a.ID[:8], job, a.NodeName)
		stopped, isOff := off[a.NodeID]
		switch {
		case a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusPending:
			if isOff {
				t.Errorf("%s is %s, but its guest stopped", what, a.ClientStatus)
			}
			continue
		case a.ClientStatus != api.AllocClientStatusComplete:
			t.Errorf("%s is %s (%s, %s)", what, a.ClientStatus, a.ClientDescription, a.DesiredDescription)
		case a.DesiredStatus == api.AllocDesiredStatusStop && (a.DesiredDescription == migrating ||
			a.JobType == api.JobTypeSystem && a.DesiredDescription == tainted):
			moved++
		case a.DesiredStatus == api.AllocDesiredStatusStop || a.JobType != api.JobTypeBatch:
			t.Errorf("%s ended as %s: %s", what, a.DesiredStatus, a.DesiredDescription)
		}
		for name, state := range a.TaskStates {
			if isOff && state.FinishedAt.After(stopped) {
				t.Errorf("%s: its task %s ended %s after the guest was told to stop", what, name, state.FinishedAt.Sub(stopped))
			}
		}
	}
	return moved
}
