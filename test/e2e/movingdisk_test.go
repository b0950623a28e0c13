package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A member whose allocation has ended stays while the next one fetches its ephemeral disk.
func TestMemberWaitsForTheDiskThatMoves(t *testing.T) {
	t.Parallel()
	disk := leavesWithADisk(t, "disk", 5*time.Minute)
	waits := memberReports(1, v1alpha1.NodeDrainCompleted, v1alpha1.ReasonWaitingForAllocations,
		", complete, its data is being moved to allocation ")
	eventually(t, "disk", "the member to say what it waits for", time.Minute, waits)
	eventually(t, "disk", "it to go on waiting", time.Minute, lasts(10*time.Second, both(waits, hasVM(t, disk.vm))))
	disk.open(t)
	eventually(t, "disk", "the member to go", time.Minute, allReady(1))
	disk.found(t, "disk", "moved")
	if moved := noneLost(t, disk.job); moved != 1 {
		t.Errorf("Nomad moved %d allocations, not 1", moved)
	}
	onlyMembersLeft(t, "disk")
}

// At the deadline the member goes, whatever is still fetched from it: the next allocation begins with an empty disk.
func TestDeadlineEndsTheWaitForADisk(t *testing.T) {
	t.Parallel()
	disk := leavesWithADisk(t, "late-disk", 20*time.Second)
	eventually(t, "late-disk", "the member to wait", time.Minute,
		memberReports(1, v1alpha1.NodeDrainCompleted, v1alpha1.ReasonWaitingForAllocations, "its data is being moved"))
	reportedWithin(t, time.Minute, "late-disk", "DrainForced", "its data is being moved")
	eventually(t, "late-disk", "the member to go", time.Minute, allReady(1))
	disk.found(t, "late-disk", "empty")
}

// movingDisk is the data of a job's only allocation, on a member that is to leave. Whoever copies it stops at a named
// pipe until that is opened.
type movingDisk struct{ job, vm, dir string }

// leavesWithADisk lets the member with the allocation leave a pool of two.
func leavesWithADisk(t *testing.T, pool string, deadline time.Duration) movingDisk {
	t.Helper()
	create(t, newPool(pool, 2, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = deadline }))
	eventually(t, pool, "the pool to settle", time.Minute, allReady(2))
	disk := movingDisk{job: pool + "-job", dir: t.TempDir()}
	script := fmt.Sprintf(`cd "$NOMAD_ALLOC_DIR/data" && if [ -f kept ]; then echo moved >> %[1]s/found
elif [ -f %[1]s/data ]; then echo empty >> %[1]s/found
else touch kept && mkfifo pipe && pwd > %[1]s/data; fi && exec sleep 86400`, disk.dir)
	job := api.NewServiceJob(disk.job, disk.job, "global", 50)
	task := api.NewTask("task", "raw_exec").SetConfig("command", "/bin/sh").SetConfig("args", []string{"-c", script}).
		Require(&api.Resources{CPU: new(50), MemoryMB: new(16)}).
		SetLogConfig(&api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)})
	group := api.NewTaskGroup("group", 1).AddTask(task)
	group.EphemeralDisk = &api.EphemeralDisk{SizeMB: new(10), Migrate: new(true)}
	job.Update = &api.UpdateStrategy{MaxParallel: new(0)}
	job.AddDatacenter("dc1").AddTaskGroup(group).NodePool = new(pool)
	submit(t, job)
	running(t, disk.job, 1)
	on := allocations(t, disk.job)[0].NodeID
	eventually(t, pool, "the data to be there", time.Minute, func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		_, err := os.Stat(filepath.Join(disk.dir, "data"))
		return err
	})
	for _, m := range members(t, pool) {
		if m.Spec.NodeID == on {
			disk.vm = m.Name
			annotate(t, m, v1alpha1.DeleteNextAnnotation, `""`)
		}
	}
	if err := scale(t, pool, 1); err != nil {
		t.Fatal(err)
	}
	return disk
}

// open has whoever copies the data go on, and fails if there is nobody.
func (d movingDisk) open(t *testing.T) {
	t.Helper()
	dir, err := os.ReadFile(filepath.Join(d.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(filepath.Join(strings.TrimSpace(string(dir)), "pipe"), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("nobody copies the data: %v", err)
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
}

// found waits until the next allocation has said what it found on its disk.
func (d movingDisk) found(t *testing.T, pool, want string) {
	t.Helper()
	running(t, d.job, 1)
	var found []byte
	eventually(t, pool, "the next allocation to look at its disk", 10*time.Second,
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) (err error) {
			found, err = os.ReadFile(filepath.Join(d.dir, "found"))
			return err
		})
	if got := strings.TrimSpace(string(found)); got != want {
		t.Errorf("the next allocation found its disk %s, want %s", got, want)
	}
}

// hasVM is satisfied while nobody has deleted a member's VM.
func hasVM(t *testing.T, name string) check {
	return func(p *v1alpha1.NomadNodePool, _ []v1alpha1.NomadNode) error {
		for _, vm := range vms(t, p.Name) {
			if vm.Name == name && vm.DeletionTimestamp == nil {
				return nil
			}
		}
		return fmt.Errorf("the VM %s was deleted", name)
	}
}
