package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

const (
	// stallMembers are drained at once; one more stays.
	stallMembers = 30
	// stallAllocations are those of one job, of which stallParallel move at a time: thirty times some of them. A node
	// whose last allocation isn't among the last that move is a candidate for the stall.
	stallAllocations, stallParallel = 310, 10
	// stopDelay is within the second for which Nomad's drainer gathers the next allocations to move. Those that end
	// meanwhile are missed.
	stopDelay = 400 * time.Millisecond
	// shutdownDelay is for how long a node outlives its drain, so that a drain that completes is seen to.
	shutdownDelay = 5 * time.Second
	stallDeadline = 10 * time.Minute
	// stallLimit is "long before the deadline": a minute of moving, and the removal of 30 VMs on a busy machine.
	stallLimit = 5 * time.Minute
	// stallRounds is how often it is tried to make Nomad stall.
	stallRounds = 3
)

// Nomad's drainer can miss the last allocation of a node when many drain at once, and then keeps the node "draining",
// empty, until the deadline (Nomad: nomad/drainer/watch_jobs.go). Members go all the same, as soon as they are empty.
func TestManyBusyMembersLeaveThoughNomadStalls(t *testing.T) {
	t.Parallel()
	t.Cleanup(
		w.Hypervisor.SlowGuests(func(vm types.NamespacedName) bool { return strings.HasPrefix(vm.Name, "stall-") },
			shutdownDelay, stopDelay),
	)
	create(t, newPool("stall", 1, strategy(v1alpha1.NewestCreateIndex), func(p *v1alpha1.NomadNodePool) {
		// One member has capacity for everything, so that no allocation waits for a place.
		p.Spec.Template.CPU, p.Spec.Template.Memory = 16, resource.MustParse("32Gi")
		p.Spec.ScaleIn.Drain.Deadline = metav1.Duration{Duration: stallDeadline}
	}))
	for round := 1; ; round++ {
		stalled := stallRound(t, fmt.Sprintf("stall-%d", round))
		if len(stalled) > 0 {
			return
		}
		if round == stallRounds {
			t.Fatalf("in %d rounds Nomad's drainer never stalled, so nothing was tested", round)
		}
	}
}

// stallRound fills all members with a job of this name, lets all but one leave, and returns for how long Nomad held
// each empty node in a drain.
func stallRound(t *testing.T, job string) map[string]time.Duration {
	t.Helper()
	resize(t, "stall", stallMembers+1)
	end := runStallJob(t, job)
	watch := watchDrains(w.Nomad, "stall")
	began := time.Now()
	if err := scale(t, "stall", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "stall", "all VMs but one to go", stallLimit, func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		if left := len(vms(t, "stall")); left != 1 {
			return fmt.Errorf("%d VMs are left; draining without allocations: %d nodes", left, len(watch.stalled()))
		}
		return nil
	})
	took := time.Since(began)
	stalled := watch.stop(t)
	t.Logf("%d members went within %s; Nomad held %d of them in a drain though they were empty: %v", stallMembers,
		took.Round(time.Second), len(stalled), stalled)
	checkDrains(t, job)
	end()
	return stalled
}

// checkDrains checks how the members were drained: nothing ended but by Nomad's order, and all runs again.
func checkDrains(t *testing.T, job string) {
	t.Helper()
	eventually(t, "stall", "all allocations to run on the member that stayed", time.Minute, stallJobRuns(job))
	all := allocations(t, job)
	if err := endedByOrder(all); err != nil {
		t.Error(err)
	}
	if len(all) < stallAllocations+stallMembers {
		t.Errorf("only %d allocations have ever been, so that few have moved", len(all))
	}
}

// runStallJob spreads the allocations evenly over the members.
func runStallJob(t *testing.T, name string) (end func()) {
	t.Helper()
	task := api.NewTask("sim", "raw_exec").Require(&api.Resources{CPU: ptr.To(1), MemoryMB: ptr.To(10)}).
		SetLogConfig(&api.LogConfig{MaxFiles: ptr.To(1), MaxFileSizeMB: ptr.To(1)})
	group := api.NewTaskGroup("sim", stallAllocations).
		AddTask(task).
		AddSpread(api.NewSpread("${node.unique.id}", 100, nil))
	group.Migrate = &api.MigrateStrategy{MaxParallel: ptr.To(stallParallel), HealthCheck: ptr.To("task_states"),
		MinHealthyTime: ptr.To(time.Duration(0)), HealthyDeadline: ptr.To(time.Minute)}
	group.EphemeralDisk = &api.EphemeralDisk{SizeMB: ptr.To(10)}
	job := api.NewServiceJob(name, name, "global", 50).AddDatacenter("dc1").AddTaskGroup(group)
	job.NodePool = ptr.To("stall")
	if _, _, err := w.Nomad.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		if _, _, err := w.Nomad.Jobs().Deregister(name, false, nil); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	eventually(t, "stall", "the job to run", 2*time.Minute, stallJobRuns(name))
	return end
}

func stallJobRuns(job string) check {
	return func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		summary, _, err := w.Nomad.Jobs().Summary(job, nil)
		if err != nil {
			return err
		}
		if got := summary.Summary["sim"]; got.Running != stallAllocations {
			return fmt.Errorf("not all of %d allocations run: %+v", stallAllocations, got)
		}
		return nil
	}
}
