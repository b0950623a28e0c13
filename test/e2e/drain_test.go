package e2e

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
)

// Nomad's drainer doesn't see the end of a sysbatch allocation, and then leaves the system allocations, which it
// stops last, running until the deadline. The drain is sent again, and the member goes long before.
func TestStalledDrainIsSentAgain(t *testing.T) {
	t.Parallel()
	const deadline = 10 * time.Minute
	create(t, newPool("stalls", 2, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = deadline }))
	eventually(t, "stalls", "the pool to settle", time.Minute, allReady(2))
	run(t, api.NewSystemJob("stalls-system", "stalls-system", "global", 50), "stalls", 2, forever)
	run(t, api.NewSysbatchJob("stalls-sysbatch", "stalls-sysbatch", "global", 50), "stalls", 2, 20*time.Second)
	if err := scale(t, "stalls", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "stalls", "the drain to be in Nomad", 15*time.Second, nomadStatus("draining", 1))
	eventually(t, "stalls", "the member to go", time.Minute, allReady(1))
	reported(t, "stalls", "DrainStalled", "")
	if stopped := noneLost(t, "stalls-system"); stopped != 1 {
		t.Errorf("Nomad stopped %d system allocations, not 1", stopped)
	}
	cameToTheirEnd(t, "stalls", "stalls-sysbatch")
	onlyMembersLeft(t, "stalls")
}

// The VM of a member that was drained stays while Nomad can't be asked: its node may have got work since.
func TestDrainedMemberWaitsForNomad(t *testing.T) {
	t.Parallel()
	way := wayToNomad(t)
	tokenSecret(t, "awaits", w.NomadToken)
	create(t,
		newPool("awaits", 1, credentials("awaits"), func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = way.URL }))
	eventually(t, "awaits", "the pool to settle", time.Minute, allReady(1))
	leaving := members(t, "awaits")[0]
	deletable := undeletable(t, leaving)
	if err := scale(t, "awaits", 0); err != nil {
		t.Fatal(err)
	}
	reported(t, "awaits", "Drained", "")
	eventually(t, "awaits", "its node to be shown as it stays", time.Minute, nomadStatus("ineligible", 1))
	way.cutOff()
	waits := memberReports(1, v1alpha1.NodeReady, v1alpha1.ReasonNomadUnknown,
		"Drained, but its VM stays until Nomad has been asked")
	eventually(t, "awaits", "the member to say that it waits", time.Minute, waits)
	deletable()
	eventually(t, "awaits", "it to wait for longer than a deletion would", 2*purgeTimeout,
		lasts(purgeTimeout+5*time.Second, both(waits, nomadStatus("ineligible", 1))))
	way.cut.Store(false)
	eventually(t, "awaits", "the member to go", time.Minute, allReady(0))
}

// undeletable keeps the controller from deleting a member's VM until the end of the test, or deletable.
func undeletable(t *testing.T, n v1alpha1.NomadNode) (deletable func()) {
	t.Helper()
	deletable = w.APIFaults.Inject(faultproxy.Fault{
		Match: func(r *http.Request) bool {
			return r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/virtualmachines/"+n.Name)
		},
		Status: http.StatusInternalServerError,
	})
	t.Cleanup(deletable)
	return deletable
}

// With onTimeout Force a member goes when its deadline has passed and what was left has had the time to stop that its
// job was promised, though a task is still there: a poststop task, which nothing stops.
func TestDrainIsForcedAfterItsDeadline(t *testing.T) {
	t.Parallel()
	const deadline, delay = 5 * time.Second, 50 * time.Second
	create(t, newPool("forced", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = deadline }))
	eventually(t, "forced", "the pool to settle", time.Minute, allReady(1))
	sleep := func(name string) *api.Task {
		return api.NewTask(name, "raw_exec").
			SetConfig("command", "sleep").
			SetConfig("args", []string{"86400"}).
			Require(&api.Resources{CPU: new(50), MemoryMB: new(16)})
	}
	works, never := sleep("works"), sleep("never-ends")
	works.ShutdownDelay = delay
	never.Lifecycle = &api.TaskLifecycle{Hook: api.TaskLifecycleHookPoststop}
	job := api.NewBatchJob("forced-batch", "forced-batch", "global", 50).AddDatacenter("dc1")
	job.AddTaskGroup(api.NewTaskGroup("g", 1).AddTask(works).AddTask(never)).NodePool = new("forced")
	submit(t, job)
	running(t, "forced-batch", 1)
	began := time.Now()
	if err := scale(t, "forced", 0); err != nil {
		t.Fatal(err)
	}
	reported(t, "forced", "MemberDraining", "")
	err := w.Client.Patch(t.Context(), &members(t, "forced")[0],
		client.RawPatch(types.MergePatchType, []byte(`{"spec":{"drain":null}}`)))
	refused(t, err, "spec.drain: a drain request can't be removed", "set spec.drain.canceled to true")
	stays(t, "forced", "the member waits for its deadline", deadline,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) != 1 || drained(nodes[0]) {
				return errNotYet
			}
			return nil
		})
	eventually(t, "forced", "the member to go all the same", 90*time.Second, allReady(0))
	if took := time.Since(began); took < deadline+max(forceGrace, delay) {
		t.Errorf("the guest was stopped after %s, within %s of its deadline", took, max(forceGrace, delay))
	}
	reported(t, "forced", "DrainForced", "onTimeout is Force. Cut off: forced-batch.g[0]")
}

// drainsFor20s makes a pool with one member, on which jobs run, and has that leave. It returns the ID of its Nomad node,
// which drains.
func drainsFor20s(t *testing.T, pool string, jobs ...*api.Job) string {
	t.Helper()
	create(t, newPool(pool, 1,
		func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = 20 * time.Second }))
	eventually(t, pool, "the pool to settle", time.Minute, allReady(1))
	for _, job := range jobs {
		run(t, job, pool, 1, forever)
	}
	id := members(t, pool)[0].Spec.NodeID
	if err := scale(t, pool, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, pool, "the drain to be in Nomad", 20*time.Second, nomadStatus("draining", 1))
	return id
}

// Whoever changes a drain in Nomad's UI gives it another deadline, and leaves it marked as the controller's. At the
// member's deadline Nomad stops what is left all the same, before the guest goes.
func TestDrainThatWasGivenAnotherDeadlineIsForced(t *testing.T) {
	t.Parallel()
	id := drainsFor20s(t, "prolonged", api.NewBatchJob("prolonged-batch", "prolonged-batch", "global", 50))
	before, _, err := w.Nomad.Nodes().Info(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Nomad.Nodes().UpdateDrainOpts(id,
		&api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}}, nil); err != nil {
		t.Fatal(err)
	}
	after, _, err := w.Nomad.Nodes().Info(id, nil)
	if err != nil || !maps.Equal(after.LastDrain.Meta, before.LastDrain.Meta) || len(after.LastDrain.Meta) == 0 {
		t.Fatalf("Nomad has changed whose drain it is: %+v, %v", after.LastDrain, err)
	}
	eventually(t, "prolonged", "the member to go", 90*time.Second, allReady(0))
	if stopped := noneLost(t, "prolonged-batch"); stopped != 1 {
		t.Errorf("Nomad stopped %d allocations, not 1", stopped)
	}
}

// Whoever clears "Drain System Jobs" in Nomad's UI has Nomad end the drain with these still running. They are stopped at
// the member's deadline, before the guest goes.
func TestSystemJobsThatAChangedDrainLeavesAreStopped(t *testing.T) {
	t.Parallel()
	id := drainsFor20s(t, "unticked", api.NewBatchJob("unticked-batch", "unticked-batch", "global", 50),
		api.NewSystemJob("unticked-system", "unticked-system", "global", 50))
	if _, err := w.Nomad.Nodes().UpdateDrainOpts(id,
		&api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour, IgnoreSystemJobs: true}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Nomad.Jobs().Deregister("unticked-batch", false, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "unticked", "the drain to end in Nomad", 20*time.Second, nomadStatus("ineligible", 1))
	eventually(t, "unticked", "the member to go", 90*time.Second, allReady(0))
	if stopped := noneLost(t, "unticked-system"); stopped != 1 {
		t.Errorf("Nomad stopped %d allocations, not 1", stopped)
	}
}

// A task that fails makes its allocation failed, and its poststop task, which may save what there is, runs only then:
// the guest waits for that one, too.
func TestFailedAllocationIsWaitedForUntilItsLastTaskHasRun(t *testing.T) {
	t.Parallel()
	create(t, newPool("failing", 1))
	eventually(t, "failing", "the pool to settle", time.Minute, allReady(1))
	dir := t.TempDir()
	fail, done := filepath.Join(dir, "fail"), filepath.Join(dir, "done")
	shell := func(name, script string) *api.Task {
		task := api.NewTask(name, "raw_exec").SetConfig("command", "sh").SetConfig("args", []string{"-c", script}).
			Require(&api.Resources{CPU: new(50), MemoryMB: new(16)})
		return task
	}
	saves := shell("saves", "sleep 12; touch "+done)
	saves.Lifecycle = &api.TaskLifecycle{Hook: api.TaskLifecycleHookPoststop}
	job := api.NewBatchJob("failing-batch", "failing-batch", "global", 50).AddDatacenter("dc1")
	group := api.NewTaskGroup("both", 1).
		AddTask(shell("fails", "until [ -e "+fail+" ]; do sleep 0.2; done; exit 1")).
		AddTask(saves)
	group.RestartPolicy = &api.RestartPolicy{Attempts: new(0), Mode: new("fail")}
	group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false)}
	job.AddTaskGroup(group).NodePool = new("failing")
	submit(t, job)
	running(t, "failing-batch", 1)
	if err := scale(t, "failing", 0); err != nil {
		t.Fatal(err)
	}
	reported(t, "failing", "DrainStarted", "")
	if err := os.WriteFile(fail, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "failing", "the member to tell what it waits for", 30*time.Second,
		memberReports(1, v1alpha1.NodeDrainCompleted, v1alpha1.ReasonWaitingForAllocations, ", failed, placed"))
	eventually(t, "failing", "the member to go", time.Minute, allReady(0))
	if _, err := os.Stat(done); err != nil {
		t.Errorf("the guest was stopped under a task: %v", err)
	}
}

// forceGrace is how long Nomad and its client may take to stop what is left at a deadline (internal/member.ForceGrace).
const forceGrace = 40 * time.Second

// A member that was drained drains once more if its node is made eligible, and may have got work, before its VM is
// deleted.
func TestDrainedNodeThatTakesWorkIsDrainedAgain(t *testing.T) {
	t.Parallel()
	create(t, newPool("reopen", 1))
	eventually(t, "reopen", "the pool to settle", time.Minute, allReady(1))
	leaving := members(t, "reopen")[0]
	deletable := undeletable(t, leaving)
	if err := scale(t, "reopen", 0); err != nil {
		t.Fatal(err)
	}
	reported(t, "reopen", "Drained", "")
	register(t, api.NewServiceJob("reopen-service", "reopen-service", "global", 50), "reopen", 1,
		forever) // waits for a node
	if _, err := w.Nomad.Nodes().ToggleEligibility(leaving.Spec.NodeID, true, nil); err != nil {
		t.Fatal(err)
	}
	reported(t, "reopen", "DrainReopened", "")
	deletable()
	eventually(t, "reopen", "the member to go", time.Minute, allReady(0))
	noneLost(t, "reopen-service")
}

// A pool can be deleted though its Nomad is gone for good: its members wait for their deadline, then for Nomad, and go.
func TestDeletedPoolGoesThoughNomadIsGone(t *testing.T) {
	t.Parallel()
	way := wayToNomad(t)
	tokenSecret(t, "bereft", w.NomadToken)
	p := newPool("bereft", 1, credentials("bereft"), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.Address, p.Spec.ScaleIn.Drain.Deadline.Duration = way.URL, 5*time.Second
	})
	create(t, p)
	eventually(t, "bereft", "the pool to settle", time.Minute, allReady(1))
	left := members(t, "bereft")[0]
	way.cutOff()
	eventually(t, "bereft", "Nomad to be away", time.Minute, reports(v1alpha1.PoolNomadReachable,
		v1alpha1.ReasonUnreachable))
	if err := w.Client.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	reportedWithin(t, 5*time.Second+forceGrace+10*time.Second, "bereft", "DrainSkipped", "Nomad can't be asked")
	reportedWithin(t, purgeTimeout+20*time.Second, "bereft", "PurgeSkipped", left.Spec.NodeID)
	eventuallyGone(t, "bereft")
	if _, _, err := w.Nomad.Nodes().Purge(left.Spec.NodeID, nil); err != nil { // as Nomad's own garbage collection would
		t.Error(err)
	}
}
