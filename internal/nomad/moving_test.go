package nomad

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// The data of an allocation that has ended is on its node until the next one has fetched it.
func TestAllocationWhoseDataIsFetchedIsWaitedFor(t *testing.T) {
	const next = "cccccccc-0000-4000-8000-000000000001"
	event := func(kinds ...string) map[string]*api.TaskState {
		s := &api.TaskState{State: "pending"}
		for _, k := range kinds {
			s.Events = append(s.Events, &api.TaskEvent{Type: k})
		}
		return map[string]*api.TaskState{"t": s}
	}
	for name, tc := range map[string]struct {
		on, status, desired string
		migrate             *bool
		states              map[string]*api.TaskState
		waits               bool
	}{
		"being fetched": {nodeB, "pending", "run", new(true), event(api.TaskReceived), true},
		"not begun yet": {nodeB, "pending", "run", new(true), nil, true},
		"events are missing": {nodeB, "pending", "run", new(true),
			map[string]*api.TaskState{"a": nil, "t": {Events: []*api.TaskEvent{nil}}}, true},
		"on the same node":    {nodeA, "pending", "run", new(true), nil, false},
		"has been fetched":    {nodeB, "pending", "run", new(true), event(api.TaskReceived, api.TaskSetup), false},
		"the next one runs":   {nodeB, "running", "run", new(true), nil, false},
		"the next is stopped": {nodeB, "pending", "stop", new(true), nil, false},
		"no disk moves":       {nodeB, "pending", "run", new(false), nil, false},
		"no task states":      {nodeB, "pending", "run", nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.nodes[nodeA] = fakeNode(nodeA)
			f.allocs = []*api.AllocationListStub{
				{ID: "1", NodeID: nodeA, Name: "db.db[0]", ClientStatus: api.AllocClientStatusComplete, NextAllocation: next,
					Namespace: "default"},
				{ID: next, NodeID: tc.on, ClientStatus: tc.status, DesiredStatus: tc.desired, TaskStates: tc.states, JobID: "db",
					TaskGroup: "db"},
			}
			group := &api.TaskGroup{Name: new("db"), EphemeralDisk: &api.EphemeralDisk{Migrate: tc.migrate}}
			f.details = map[string]*api.Allocation{next: {
				ID: next,
				Job: &api.Job{TaskGroups: []*api.TaskGroup{group,
					{Name: new("other"), EphemeralDisk: &api.EphemeralDisk{Migrate: new(true)}}}},
			}}
			c := direct(f)
			in, err := c.Inspect(t.Context(), nodeA)
			if err != nil || (len(in.Live) == 1 && in.Live[0].MovingTo == next) != tc.waits {
				t.Errorf("the leader says %+v, %v", in.Live, err)
			}
			for range 2 { // the cache gives the same
				again, err := c.Inspect(t.Context(), nodeA)
				if err != nil || len(again.Live) != len(in.Live) {
					t.Errorf("then it says %+v, %v", again.Live, err)
				}
			}
			live, err := newRemote(Connection{Address: f.URL}, Options{RequestTimeout: 2 * time.Second}.withDefaults(), newShared()).live(t.Context(), []string{nodeA})
			if err != nil || (len(live[nodeA]) == 1 && live[nodeA][0].MovingTo == next) != tc.waits {
				t.Errorf("the poll says %+v, %v", live[nodeA], err)
			}
		})
	}
}

// A client that is gone gives nothing any more.
func TestDataOfANodeThatIsDownIsNotWaitedFor(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	f.nodes[nodeA].Status = NodeDown
	f.allocs = []*api.AllocationListStub{
		{ID: "1", NodeID: nodeA, ClientStatus: api.AllocClientStatusComplete,
			NextAllocation: "cccccccc-0000-4000-8000-000000000001"},
	}
	if in, err := direct(f).Inspect(t.Context(), nodeA); err != nil || len(in.Live) != 0 ||
		f.count("GET /v1/allocations") != 1 {
		t.Errorf("got %+v, %v", in.Live, err)
	}
}

// rescheduled has n allocations of each job on each of the nodes, all replaced by others that haven't begun.
func rescheduled(f *fakeServer, n int, jobs, nodes []string) {
	f.details = map[string]*api.Allocation{}
	index := uint64(1)
	for _, node := range nodes {
		for _, job := range jobs {
			for range n {
				index++
				next := fmt.Sprintf("cccccccc-0000-4000-8000-%012d", index)
				group := &api.TaskGroup{Name: new("g"),
					EphemeralDisk: &api.EphemeralDisk{Migrate: new(strings.HasPrefix(job, "db"))}}
				f.details[next] = &api.Allocation{ID: next,
					Job: &api.Job{TaskGroups: []*api.TaskGroup{group}, CreateIndex: new(uint64(1))}}
				f.allocs = append(
					f.allocs,
					&api.AllocationListStub{ID: "old-" + next, NodeID: node, JobID: job, ClientStatus: "complete",
						NextAllocation: next},
					&api.AllocationListStub{ID: next, NodeID: nodeC, JobID: job, TaskGroup: "g", ClientStatus: "pending",
						DesiredStatus: "run", CreateIndex: index},
				)
			}
		}
	}
}

const nodeC = "cccccccc-0000-4000-8000-000000000003"

// asked is how many requests there were since the last time.
func asked(f *fakeServer) (lists, jobs int) {
	f.locked(func() {
		for _, r := range f.requests {
			switch {
			case r == "GET /v1/allocations":
				lists++
			case strings.HasPrefix(r, "GET /v1/allocation/"):
				jobs++
			}
		}
		f.requests = nil
	})
	return lists, jobs
}

// The poll runs each second, and what has been replaced stays on the list for hours.
func TestRequestsDontGrowWithWhatIsReplaced(t *testing.T) {
	f := newFakeServer(t)
	rescheduled(f, 250, []string{"web", "db"}, []string{nodeA})
	c := newRemote(Connection{Address: f.URL}, Options{RequestTimeout: 5 * time.Second}.withDefaults(), newShared())
	poll := func(moving, lists, jobs int) {
		t.Helper()
		live, err := c.live(t.Context(), []string{nodeA})
		l, j := asked(f)
		if err != nil || len(live[nodeA]) != moving || l != lists || j != jobs {
			t.Errorf("%d move, by %d lists and %d jobs; want %d, %d and %d: %v", len(live[nodeA]), l, j, moving, lists, jobs,
				err)
		}
	}
	poll(250, 1+5, 2)
	poll(250, 1+3, 0)
	f.locked(func() {
		for _, a := range f.allocs {
			if a.NodeID == nodeC && a.JobID == "db" {
				a.ClientStatus = "running"
			}
		}
	})
	poll(0, 1+3, 0)
	poll(0, 1, 0)
}

// Until it has been asked for, data counts as moving.
func TestJobsAreAskedForAFewAtATime(t *testing.T) {
	var jobs []string
	for i := range jobsPerPoll + 5 {
		jobs = append(jobs, fmt.Sprintf("web-%02d", i))
	}
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	rescheduled(f, 3, jobs, []string{nodeA})
	c := direct(f)
	for _, want := range []struct{ jobs, moving int }{{jobsPerPoll, 15}, {5, 0}, {0, 0}} {
		in, err := c.Inspect(t.Context(), nodeA)
		if _, n := asked(f); err != nil || n != want.jobs || len(in.Live) != want.moving {
			t.Errorf("%d move, by %d jobs, %v; want %+v", len(in.Live), n, err, want)
		}
	}
}

// What can't be found out about one node leaves the others alone, and an answer that doesn't come does too.
func TestJobThatCantBeReadConcernsItsNodeAlone(t *testing.T) {
	for name, hang := range map[string]bool{"refused": false, "no answer": true} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			rescheduled(f, 1, []string{"web", "db"}, []string{nodeA, nodeB})
			bad := f.allocs[len(f.allocs)-1].ID // of db, the newest, on node B
			f.allocs = slices.DeleteFunc(f.allocs,
				func(a *api.AllocationListStub) bool { return a.NodeID == nodeA && a.JobID == "db" })
			if hang {
				f.hang = "/v1/allocation/" + bad
			} else {
				f.refuse["/v1/allocation/"+bad] = refusal{code: 500, body: "broken"}
			}
			f.allocs = append(f.allocs, &api.AllocationListStub{ID: "1", NodeID: nodeA, ClientStatus: "running"})
			c := watched(t, Connection{Address: f.URL}, &changes{})
			c.TrackAllocations(nodeA, true)
			c.TrackAllocations(nodeB, true)
			eventually(t, "node A, and word of node B",
				func() bool { a := c.Allocations(); return len(a.Live[nodeA]) == 1 && a.Err != nil })
			if _, known := c.Allocations().Live[nodeB]; known {
				t.Error("what can't be found out is said to be known")
			}
			f.locked(func() { f.refuse, f.hang = nil, "" })
			eventually(t, "node B",
				func() bool { a := c.Allocations(); _, known := a.Live[nodeB]; return known && a.Err == nil })
		})
	}
}

// A job that is purged and run again may have the version that another of its name had.
func TestJobOfTheSameNameIsAskedForAnew(t *testing.T) {
	m := newMigrations()
	at := func(created uint64) beginning { return beginning{id: "a", job: jobKey{id: "db"}, created: created} }
	m.learn(at(20), false, 10)
	for created, known := range map[uint64]bool{9: false, 10: true, 20: true, 21: false} {
		if _, is := m.of(at(created)); is != known {
			t.Errorf("created at %d: %v", created, is)
		}
	}
}
