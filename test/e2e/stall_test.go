package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/world"
	"github.com/nomad-harvester/nomad-harvester/test/world/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/world/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/world/process"
)

const (
	// stallMembers are drained at once; one more stays.
	stallMembers = 30
	// stallAllocations are those of one job, of which stallParallel move at a time: thirty times some of them. A node
	// whose last allocation isn't among the last that move is a candidate for the stall.
	stallAllocations, stallParallel = 310, 10
	// stopDelay is within the second for which Nomad's drainer gathers the next allocations to move. Those that end
	// meanwhile are missed.
	stopDelay     = 400 * time.Millisecond
	stallDeadline = 10 * time.Minute
	// stallLimit is "long before the deadline": a minute of moving, and the removal of 30 VMs on a busy machine.
	stallLimit = 5 * time.Minute
	// stallRounds is how often it is tried to make Nomad stall.
	stallRounds = 3
)

// Nomad's drainer can miss the last allocation of a node when many drain at once, and then keeps the node "draining",
// empty, until the deadline (Nomad: nomad/drainer/watch_jobs.go). Members go all the same, as soon as they are empty.
func TestThirtyBusyMembersLeaveThoughNomadStalls(t *testing.T) {
	t.Parallel()
	s := startStall(t)
	for round := 1; ; round++ {
		stalled := s.round(t)
		if len(stalled) > 0 {
			return
		}
		if round == stallRounds {
			t.Fatalf("in %d rounds Nomad's drainer never stalled, so nothing was tested", round)
		}
	}
}

// stall is a world of simulated clients, which can be many and busy.
type stall struct {
	*world.World
	pool *v1alpha1.NomadNodePool
}

func startStall(t *testing.T) *stall {
	t.Helper()
	own, err := world.Start(t.Context(), world.Options{
		ACL: true, Guest: hypervisor.SimulatedGuest, Progress: os.Stderr,
		// Nodes outlive their drain for that long, so that a drain that completes is seen to.
		ShutdownDelay: 5 * time.Second,
		StopDelay:     stopDelay,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopsWithoutATrace(t, own) })
	if _, err := own.StartController(t.Context(), world.ControllerOptions{Args: []string{"--leader-elect=false"}}); err != nil {
		t.Fatal(err)
	}
	s := &stall{own, newPool("stall", 1, func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.Servers = []string{own.NomadServer.RPCAddr}
		// One member has room for everything, so that no allocation waits for a place.
		p.Spec.Template.CPU, p.Spec.Template.Memory = 16, resource.MustParse("32Gi")
		p.Spec.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
		p.Spec.ScaleIn.Drain.Deadline = metav1.Duration{Duration: stallDeadline}
	})}
	if err := own.Client.Create(t.Context(), s.pool); err != nil {
		t.Fatal(err)
	}
	return s
}

// round fills all members, lets all but one leave, and returns for how long Nomad held each empty node in a drain.
func (s *stall) round(t *testing.T) map[string]time.Duration {
	s.scale(t, stallMembers+1)
	s.await(t, "all members to be ready", 3*time.Minute, func(ctx context.Context) error {
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(s.pool), s.pool); err != nil {
			return err
		}
		return settled(stallMembers+1)(s.pool, make([]v1alpha1.NomadNode, stallMembers+1))
	})
	s.runJob(t)
	w := watchDrains(s.Nomad)
	began := time.Now()
	s.scale(t, 1)
	s.await(t, "all VMs but one to go", stallLimit, func(ctx context.Context) error {
		var vms kubevirtv1.VirtualMachineList
		if err := s.Client.List(ctx, &vms, client.InNamespace(fixtures.Namespace), client.MatchingLabels{v1alpha1.PoolLabel: s.pool.Name}); err != nil {
			return err
		}
		if len(vms.Items) != 1 {
			return fmt.Errorf("%d VMs are left; draining without allocations: %d nodes", len(vms.Items), len(w.stalled()))
		}
		return nil
	})
	took := time.Since(began)
	stalled := w.stop(t)
	t.Logf("%d members went within %s; Nomad held %d of them in a drain though they were empty: %v", stallMembers, took.Round(time.Second), len(stalled), stalled)
	s.checkDrains(t)
	s.endJob(t)
	return stalled
}

// checkDrains checks how the members were drained: nothing ended but by Nomad's order, and all runs again.
func (s *stall) checkDrains(t *testing.T) {
	t.Helper()
	s.await(t, "all allocations to run on the member that stayed", time.Minute, s.allRun)
	all, _, err := s.Nomad.Jobs().Allocations(s.pool.Name, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := endedByOrder(all); err != nil {
		t.Error(err)
	}
	if len(all) < stallAllocations+stallMembers {
		t.Errorf("only %d allocations have ever been, so that few have moved", len(all))
	}
}

func (s *stall) await(t *testing.T, what string, within time.Duration, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*within)
	defer cancel()
	if err := process.WaitFor(ctx, 250*time.Millisecond, what, check); err != nil {
		t.Fatal(err)
	}
}

func (s *stall) scale(t *testing.T, replicas int32) {
	t.Helper()
	if err := s.Client.SubResource("scale").Patch(t.Context(), s.pool.DeepCopy(), replicasPatch(replicas)); err != nil {
		t.Fatal(err)
	}
}

// runJob spreads the allocations evenly over the members.
func (s *stall) runJob(t *testing.T) {
	t.Helper()
	task := api.NewTask("sim", "raw_exec").Require(&api.Resources{CPU: ptr.To(1), MemoryMB: ptr.To(10)}).
		SetLogConfig(&api.LogConfig{MaxFiles: ptr.To(1), MaxFileSizeMB: ptr.To(1)})
	group := api.NewTaskGroup("sim", stallAllocations).AddTask(task).AddSpread(api.NewSpread("${node.unique.id}", 100, nil))
	group.Migrate = &api.MigrateStrategy{MaxParallel: ptr.To(stallParallel), HealthCheck: ptr.To("task_states"),
		MinHealthyTime: ptr.To(time.Duration(0)), HealthyDeadline: ptr.To(time.Minute)}
	group.EphemeralDisk = &api.EphemeralDisk{SizeMB: ptr.To(10)}
	job := api.NewServiceJob(s.pool.Name, s.pool.Name, "global", 50).AddDatacenter("dc1").AddTaskGroup(group)
	job.NodePool = ptr.To(s.pool.Name)
	if _, _, err := s.Nomad.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	s.await(t, "the job to run", 2*time.Minute, s.allRun)
}

func (s *stall) allRun(context.Context) error {
	summary, _, err := s.Nomad.Jobs().Summary(s.pool.Name, nil)
	if err != nil {
		return err
	}
	if got := summary.Summary["sim"]; got.Running != stallAllocations {
		return fmt.Errorf("not all of %d allocations run: %+v", stallAllocations, got)
	}
	return nil
}

func (s *stall) endJob(t *testing.T) {
	t.Helper()
	if _, _, err := s.Nomad.Jobs().Deregister(s.pool.Name, true, nil); err != nil {
		t.Fatal(err)
	}
}
