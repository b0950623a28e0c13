package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// cluster is what a test plans for.
type cluster struct {
	nodes  map[string]*state.Node
	allocs []*api.Allocation
	ids    int
}

func newCluster(nodes ...string) *cluster {
	c := &cluster{nodes: map[string]*state.Node{}}
	for _, id := range nodes {
		n := &state.Node{}
		n.ID, n.Name, n.Datacenter, n.NodePool, n.Status, n.SchedulingEligibility = id, id, "dc1", "default", state.NodeReady,
			state.Eligible
		n.Drivers = map[string]*api.DriverInfo{"mock_driver": {Detected: true, Healthy: true}}
		n.NodeResources = &api.NodeResources{Cpu: api.NodeCpuResources{CpuShares: 1000},
			Memory: api.NodeMemoryResources{MemoryMB: 1000}, Disk: api.NodeDiskResources{DiskMB: 10000}}
		c.nodes[id] = n
	}
	return c
}

func job(kind string, count int, change ...func(*api.Job)) *api.Job {
	task := &api.Task{Name: "t", Driver: "mock_driver", Resources: &api.Resources{CPU: new(300), MemoryMB: new(100)}}
	group := api.NewTaskGroup("g", count).AddTask(task)
	j := &api.Job{ID: new("j"), Type: new(kind), TaskGroups: []*api.TaskGroup{group}, Datacenters: []string{"*"}}
	j.Canonicalize()
	j.CreateIndex, j.Version = new(uint64(1)), new(uint64(0))
	for _, f := range change {
		f(j)
	}
	return j
}

// evaluate plans, and does what the plan says.
func (c *cluster) evaluate(j *api.Job) *Plan {
	plan := Decide(Input{
		Job: j, Allocs: c.allocs, Nodes: c.nodes, Now: now, EvalID: "e",
		NewID: func() string { c.ids++; return fmt.Sprintf("a%02d", c.ids) },
		On: func(id string) []*api.Allocation {
			return slices.DeleteFunc(slices.Clone(c.allocs), func(a *api.Allocation) bool { return a.NodeID != id })
		},
	})
	for _, changed := range plan.Changed {
		for i, a := range c.allocs {
			if a.ID == changed.ID {
				c.allocs[i] = changed
			}
		}
	}
	c.allocs = append(c.allocs, plan.New...)
	return plan
}

// set changes the allocations that are wanted.
func (c *cluster) set(change func(*api.Allocation)) {
	for i, a := range c.allocs {
		if a.DesiredStatus == state.DesiredRun {
			changed := *a
			change(&changed)
			c.allocs[i] = &changed
		}
	}
}

// where says on which nodes the wanted allocations are.
func (c *cluster) where() string {
	on := map[string]int{}
	for _, a := range c.allocs {
		if a.DesiredStatus == state.DesiredRun && !state.Terminal(a) {
			on[a.NodeID]++
		}
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(on)) {
		out = append(out, fmt.Sprintf("%s:%d", id, on[id]))
	}
	return strings.Join(out, " ")
}

func (c *cluster) stopped(why string) int {
	n := 0
	for _, a := range c.allocs {
		if a.DesiredStatus == state.DesiredStop && a.DesiredDescription == why {
			n++
		}
	}
	return n
}

func TestServiceIsPlacedWhereThereIsCapacity(t *testing.T) {
	c := newCluster("a", "b")
	plan := c.evaluate(job(state.TypeService, 8))
	if got := c.where(); got != "a:3 b:3" || plan.Queued["g"] != 2 || plan.Unplaced["g"] == nil {
		t.Errorf("placed %s, queued %v", got, plan.Queued)
	}
	if again := c.evaluate(job(state.TypeService, 8)); !again.Empty() || again.Queued["g"] != 2 {
		t.Errorf("a second look changed %d and made %d", len(again.Changed), len(again.New))
	}
	c.evaluate(job(state.TypeService, 1))
	if got := c.where(); got != "a:1" && got != "b:1" || c.stopped(NotNeeded) != 5 {
		t.Errorf("after scaling in: %s, %d stopped", got, c.stopped(NotNeeded))
	}
}

// What makes a node one that takes no allocation of a group.
func TestFeasible(t *testing.T) {
	for name, change := range map[string]func(*state.Node, *api.Job){
		"ineligible":   func(n *state.Node, _ *api.Job) { n.SchedulingEligibility = state.Ineligible },
		"down":         func(n *state.Node, _ *api.Job) { n.Status = state.NodeDown },
		"initializing": func(n *state.Node, _ *api.Job) { n.Status = state.NodeInit },
		"another pool": func(n *state.Node, _ *api.Job) { n.NodePool = "x" },
		"another dc":   func(_ *state.Node, j *api.Job) { j.Datacenters = []string{"eu-*"} },
		"no driver":    func(n *state.Node, _ *api.Job) { n.Drivers = nil },
		"too small":    func(n *state.Node, _ *api.Job) { n.NodeResources.Memory.MemoryMB = 99 },
		"reserved": func(n *state.Node, _ *api.Job) {
			n.ReservedResources = &api.NodeReservedResources{Cpu: api.NodeReservedCpuResources{CpuShares: 800}}
		},
		"another node": func(_ *state.Node, j *api.Job) {
			j.Constraints = []*api.Constraint{api.NewConstraint("${node.unique.id}", "=", "b")}
		},
		"an old version": func(n *state.Node, j *api.Job) {
			n.Attributes = map[string]string{"v": "1.2"}
			j.Constraints = []*api.Constraint{api.NewConstraint("${attr.v}", "version", ">= 1.3")}
		},
		"meta that it isn't": func(_ *state.Node, j *api.Job) {
			j.TaskGroups[0].Constraints = []*api.Constraint{api.NewConstraint("${meta.rack}", "=", "r1")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, j := newCluster("a"), job(state.TypeService, 1)
			change(c.nodes["a"], j)
			if plan := c.evaluate(j); len(plan.New) != 0 || plan.Queued["g"] != 1 {
				t.Errorf("made %d, queued %v", len(plan.New), plan.Queued)
			}
		})
	}
}

func TestSatisfied(t *testing.T) {
	for _, tt := range []struct {
		operand, left, right string
		want                 bool
	}{
		{"=", "a", "a", true}, {"!=", "a", "b", true}, {"!=", "a", "a", false}, {"regexp", "linux", "^lin", true},
		{">", "b", "a", true},
		{"set_contains", "a, b", "b", true}, {"set_contains", "a,b", "b,c", false}, {"set_contains_any", "a,b", "c,b", true},
		{"set_contains_any", "a,b", "c", false}, {"version", "1.8.4", "~> 1.8", true}, {"semver", "x", "> 1", false},
		{"nonsense", "a", "a", false},
	} {
		if got := Satisfied(tt.operand, tt.left, tt.right, true, true); got != tt.want {
			t.Errorf("%q %s %q: %v", tt.left, tt.operand, tt.right, got)
		}
	}
}

func TestSpreadGoesToEachNode(t *testing.T) {
	c := newCluster("a", "b", "c")
	c.evaluate(
		job(state.TypeService, 3,
			func(j *api.Job) { j.TaskGroups[0].AddSpread(api.NewSpread("${node.unique.id}", 100, nil)) }),
	)
	if got := c.where(); got != "a:1 b:1 c:1" {
		t.Errorf("placed %s", got)
	}
}

// A node that goes takes its allocations with it, and others take their place; what a drain wants moved is moved.
func TestLostAndMigrated(t *testing.T) {
	c, j := newCluster("a", "b"), job(state.TypeService, 1)
	c.evaluate(j)
	c.set(func(a *api.Allocation) { a.ClientStatus = state.ClientRunning })
	first := c.allocs[0]
	c.nodes[first.NodeID].Status = state.NodeDown
	c.evaluate(j)
	if lost := c.allocs[0]; lost.ClientStatus != state.ClientLost || lost.NextAllocation != "a02" ||
		c.allocs[1].PreviousAllocation != first.ID {
		t.Errorf("lost %+v", lost)
	}
	c.nodes[first.NodeID].Status = state.NodeReady
	c.set(func(a *api.Allocation) { a.DesiredTransition.Migrate = new(true) })
	c.evaluate(j)
	if c.stopped(Migrating) != 1 || c.where() != first.NodeID+":1" {
		t.Errorf("%d migrate, to %s", c.stopped(Migrating), c.where())
	}
}

// Work that is done isn't done again, unless the job is another one.
func TestBatchRunsOnce(t *testing.T) {
	c, j := newCluster("a"), job(state.TypeBatch, 2)
	c.evaluate(j)
	c.set(func(a *api.Allocation) { a.ClientStatus = state.ClientComplete })
	if plan := c.evaluate(j); !plan.Empty() {
		t.Errorf("made %d more", len(plan.New))
	}
	other := job(state.TypeBatch, 2, func(j *api.Job) { j.CreateIndex = new(uint64(9)) })
	if plan := c.evaluate(other); len(plan.New) != 2 {
		t.Errorf("another job of that name got %d", len(plan.New))
	}
}

// What a drain has stopped of a batch job isn't replaced, unless its node is made eligible while it is being stopped: then
// it runs a second time, once.
func TestDrainedBatchRunsTwiceOnlyIfItsNodeIsEligibleTooEarly(t *testing.T) {
	for name, tc := range map[string]struct {
		whileStopping, afterwards bool
		want                      string
	}{
		"never eligible again":      {false, false, ""},
		"eligible after it stopped": {false, true, ""},
		"eligible while it stops":   {true, true, "b:1"},
	} {
		t.Run(name, func(t *testing.T) {
			c, j := newCluster("a"), job(state.TypeBatch, 1)
			c.evaluate(j)
			c.nodes["b"] = newCluster("b").nodes["b"]
			c.set(func(a *api.Allocation) {
				a.ClientStatus, a.CreateIndex = state.ClientRunning, 1
				a.DesiredTransition = api.DesiredTransition{Migrate: new(true), MigrateDisablePlacement: new(true)}
			})
			c.nodes["a"].SchedulingEligibility = state.Ineligible
			c.evaluate(j)
			if c.evaluate(j); c.stopped(Migrating) != 1 || c.where() != "" {
				t.Errorf("%d stopped, placed again on %q", c.stopped(Migrating), c.where())
			}
			for _, at := range []struct{ eligible, stopped bool }{{tc.whileStopping, false}, {tc.afterwards, true}} {
				if at.eligible {
					c.nodes["a"].SchedulingEligibility = state.Eligible
				}
				if at.stopped {
					c.allocs[0].ClientStatus = state.ClientComplete
				}
				c.nodes["a"].NodeResources.Cpu.CpuShares = 0 // so that it's clear where it's placed
				for range 2 {
					c.evaluate(j)
					c.set(func(a *api.Allocation) { a.CreateIndex = 2 })
				}
			}
			if got := c.where(); got != tc.want {
				t.Errorf("runs on %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSystemIsOnEachNode(t *testing.T) {
	c, j := newCluster("a", "b"), job(state.TypeSystem, 1)
	c.evaluate(j)
	if got := c.where(); got != "a:1 b:1" {
		t.Errorf("placed %s", got)
	}
	c.set(func(a *api.Allocation) {
		a.ClientStatus = state.ClientRunning
		a.DesiredTransition.Migrate = new(a.NodeID == "a")
	})
	c.nodes["a"].SchedulingEligibility = state.Ineligible
	if c.evaluate(j); c.stopped(Tainted) != 1 || c.where() != "b:1" {
		t.Errorf("%d stopped as tainted, left %s", c.stopped(Tainted), c.where())
	}
	once := newCluster("a")
	s := job(state.TypeSysBatch, 1)
	once.evaluate(s)
	once.set(func(a *api.Allocation) { a.ClientStatus = state.ClientComplete })
	if plan := once.evaluate(s); !plan.Empty() {
		t.Error("a sysbatch job ran twice on a node")
	}
}

// A failed allocation is replaced when its policy says so, and not before.
func TestReschedule(t *testing.T) {
	failed := func(a *api.Allocation) {
		a.ClientStatus, a.TaskStates = state.ClientFailed, map[string]*api.TaskState{
			"t": {FinishedAt: now.Add(-10 * time.Second)}}
	}
	for name, tt := range map[string]struct {
		policy api.ReschedulePolicy
		made   int
		wake   time.Duration
	}{
		"none left":  {api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false)}, 0, 0},
		"later":      {api.ReschedulePolicy{Unlimited: new(true), Delay: new(30 * time.Second)}, 0, 20 * time.Second},
		"now":        {api.ReschedulePolicy{Unlimited: new(true), Delay: new(5 * time.Second)}, 1, 0},
		"one is due": {api.ReschedulePolicy{Attempts: new(1), Interval: new(time.Hour), Delay: new(time.Second)}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("a", "b")
			j := job(state.TypeService, 1, func(j *api.Job) { j.TaskGroups[0].ReschedulePolicy = &tt.policy })
			c.evaluate(j)
			c.set(failed)
			plan := c.evaluate(j)
			if len(plan.New) != tt.made || tt.wake != 0 && !plan.Wake.Equal(now.Add(tt.wake)) {
				t.Errorf("made %d, wakes at %s", len(plan.New), plan.Wake)
			}
			if tt.made == 1 && (plan.New[0].NodeID == c.allocs[0].NodeID || plan.New[0].RescheduleTracker == nil) {
				t.Errorf("replaced by %+v", plan.New[0])
			}
		})
	}
}

// A new version of a job replaces its allocations, unless only the count has changed.
func TestUpdate(t *testing.T) {
	c := newCluster("a", "b")
	c.evaluate(job(state.TypeService, 1))
	c.set(func(a *api.Allocation) { a.ClientStatus = state.ClientRunning })
	more := job(state.TypeService, 2, func(j *api.Job) { j.Version = new(uint64(1)) })
	if plan := c.evaluate(more); len(plan.New) != 1 || c.stopped(NotNeeded) != 0 {
		t.Errorf("made %d, stopped %d", len(plan.New), c.stopped(NotNeeded))
	}
	other := job(state.TypeService, 2, func(j *api.Job) {
		j.Version = new(uint64(2))
		j.TaskGroups[0].Tasks[0].Env = map[string]string{"A": "b"}
	})
	if plan := c.evaluate(other); len(plan.New) != 2 || c.stopped(NotNeeded) != 2 {
		t.Errorf("made %d, stopped %d", len(plan.New), c.stopped(NotNeeded))
	}
	stopped := job(state.TypeService, 2, func(j *api.Job) { j.Stop = new(true) })
	if c.evaluate(stopped); c.where() != "" {
		t.Errorf("left after the job was stopped: %s", c.where())
	}
}
