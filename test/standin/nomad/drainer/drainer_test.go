package drainer

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// cluster is one for a test.
type cluster struct {
	nodes  []*state.Node
	allocs []*api.Allocation
}

func (w *cluster) Draining() []*state.Node { return w.nodes }
func (w *cluster) OnNode(id string) []*api.Allocation {
	return slices.DeleteFunc(slices.Clone(w.allocs), func(a *api.Allocation) bool { return a.NodeID != id })
}
func (w *cluster) OfJob(_, id string) []*api.Allocation {
	return slices.DeleteFunc(slices.Clone(w.allocs), func(a *api.Allocation) bool { return a.JobID != id })
}

func (w *cluster) drain(id string, deadline time.Duration, ignoreSystem bool) {
	n := &state.Node{}
	n.ID, n.Status = id, state.NodeReady
	n.DrainStrategy = &api.DrainStrategy{DrainSpec: api.DrainSpec{Deadline: deadline, IgnoreSystemJobs: ignoreSystem},
		ForceDeadline: start.Add(deadline)}
	w.nodes = append(w.nodes, n)
}

func (w *cluster) run(node, id, kind string, count, parallel int) *api.Allocation {
	job := &api.Job{
		ID:   new("job-" + kind),
		Type: new(kind),
		TaskGroups: []*api.TaskGroup{
			{Name: new("g"), Count: new(count), Migrate: &api.MigrateStrategy{MaxParallel: new(parallel)}}},
	}
	a := &api.Allocation{
		ID: id, NodeID: node, JobID: *job.ID, Job: job, TaskGroup: "g", DesiredStatus: state.DesiredRun,
		ClientStatus:     state.ClientRunning,
		DeploymentStatus: &api.AllocDeploymentStatus{Healthy: new(true)}, CreateIndex: uint64(len(w.allocs)),
	}
	w.allocs = append(w.allocs, a)
	return a
}

// step looks at a moment, and returns what is migrated and which nodes are done.
func step(d *Drainer, w *cluster, after time.Duration) (migrate, done []string) {
	a := d.Decide(w, start.Add(after))
	for _, c := range a.Complete {
		done = append(done, c.NodeID)
	}
	return a.Migrate, done
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestEmptyNodeCompletesSoon(t *testing.T) {
	w, d := &cluster{}, &Drainer{}
	w.drain("n", time.Hour, false)
	d.Requested("n", start)
	_, done := step(d, w, 0)
	equal(t, "at once", done, nil)
	_, done = step(d, w, 200*time.Millisecond)
	equal(t, "after 200 ms", done, []string{"n"})
}

// Services go by max_parallel, after the second for which requests are gathered.
func TestServicesMoveByMaxParallel(t *testing.T) {
	w, d := &cluster{}, &Drainer{}
	w.drain("n", time.Hour, false)
	for _, id := range []string{"a", "b", "c"} {
		w.run("n", id, state.TypeService, 3, 2)
	}
	d.Requested("n", start)
	migrate, _ := step(d, w, 0)
	equal(t, "at once", migrate, nil)
	migrate, _ = step(d, w, time.Second)
	equal(t, "after a second", migrate, []string{"a", "b"})
	for _, a := range w.allocs[:2] {
		a.DesiredTransition.Migrate = new(true)
	}
	migrate, _ = step(d, w, 3*time.Second)
	equal(t, "without healthy replacements", migrate, nil)
}

// System allocations are stopped last, together with the end of the drain, which they outlive; or not at all.
func TestSystemGoesLast(t *testing.T) {
	for ignore, want := range map[bool][]string{false: {"s"}, true: nil} {
		w, d := &cluster{}, &Drainer{}
		w.drain("n", time.Hour, ignore)
		w.run("n", "s", state.TypeSystem, 1, 1)
		batch := w.run("n", "b", state.TypeBatch, 1, 1)
		d.Requested("n", start)
		migrate, done := step(d, w, time.Second)
		equal(t, "while batch runs", append(migrate, done...), nil)
		batch.ClientStatus = state.ClientComplete
		d.Ended(batch, start.Add(2*time.Second))
		migrate, done = step(d, w, 3*time.Second)
		equal(t, "system", migrate, want)
		equal(t, "done", done, []string{"n"})
	}
}

func TestDeadlines(t *testing.T) {
	for name, tt := range map[string]struct {
		deadline time.Duration
		at       time.Duration
		forced   bool
	}{
		"before":        {10 * time.Second, 10*time.Second + 900*time.Millisecond, false},
		"a second late": {10 * time.Second, 11 * time.Second, true},
		"force":         {-1, 0, true},
		"none":          {0, 1000 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, d := &cluster{}, &Drainer{}
			w.drain("n", tt.deadline, false)
			w.run("n", "b", state.TypeBatch, 1, 1)
			d.Requested("n", start)
			step(d, w, 100*time.Millisecond)
			a := d.Decide(w, start.Add(tt.at))
			if forced := len(a.Complete) == 1 && a.Complete[0].DeadlineReached && len(a.Migrate) == 1; forced != tt.forced {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// Nobody notices the end of a sysbatch allocation, until the drain is asked for again (stall 1).
func TestStallOfSysBatch(t *testing.T) {
	for quirk, stalls := range map[Quirk]bool{AsNomad: true, Never: false} {
		w, d := &cluster{}, &Drainer{Quirks: Quirks{SysBatchStall: quirk}}
		w.drain("n", time.Hour, false)
		a := w.run("n", "b", state.TypeSysBatch, 1, 1)
		d.Requested("n", start)
		step(d, w, time.Second)
		a.ClientStatus = state.ClientComplete
		d.Ended(a, start.Add(2*time.Second))
		if _, done := step(d, w, 3*time.Second); (len(done) == 0) != stalls {
			t.Errorf("quirk %v: done %v", quirk, done)
		}
		d.Requested("n", start.Add(4*time.Second))
		if _, done := step(d, w, 5*time.Second); (len(done) == 1) != stalls && stalls {
			t.Errorf("quirk %v: asked again, done %v", quirk, done)
		}
	}
}

// What ends while requests to migrate others are gathered is missed (stall 2).
func TestStallOfConcurrentDrains(t *testing.T) {
	for _, kind := range []string{state.TypeService, state.TypeBatch} {
		for quirk, stalls := range map[Quirk]bool{AsNomad: true, Never: false} {
			w, d := &cluster{}, &Drainer{Quirks: Quirks{ConcurrentStall: quirk}}
			w.drain("m", time.Hour, false)
			w.drain("n", time.Hour, false)
			gone := w.run("m", "a", kind, 2, 2)
			w.run("n", "b", state.TypeService, 2, 2)
			d.Requested("m", start)
			d.Requested("n", start)
			step(d, w, 100*time.Millisecond) // a request is gathered for a second from now
			gone.ClientStatus = state.ClientComplete
			d.Ended(gone, start.Add(500*time.Millisecond))
			if _, done := step(d, w, 900*time.Millisecond); slices.Contains(done, "m") == stalls {
				t.Errorf("%s, quirk %v: done %v", kind, quirk, done)
			}
		}
	}
}

func TestNodeThatIsDownIsDone(t *testing.T) {
	w, d := &cluster{}, &Drainer{}
	w.drain("n", time.Hour, false)
	w.run("n", "a", state.TypeBatch, 1, 1)
	w.nodes[0].Status = state.NodeDown
	_, done := step(d, w, 0)
	equal(t, "done", done, []string{"n"})
}

// Nobody waits for a drain that was canceled, or whose node is gone.
func TestWhatDrainsNoMoreIsForgotten(t *testing.T) {
	w, d := &cluster{}, &Drainer{}
	w.drain("n", time.Hour, false)
	d.Requested("n", start)
	w.nodes = nil
	if a := d.Decide(w, start.Add(time.Second)); !a.Wake.IsZero() {
		t.Errorf("looks again at %s", a.Wake)
	}
}
