package nomad

import (
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
		"being fetched":       {nodeB, "pending", "run", new(true), event(api.TaskReceived), true},
		"not begun yet":       {nodeB, "pending", "run", new(true), nil, true},
		"has been fetched":    {nodeB, "pending", "run", new(true), event(api.TaskReceived, api.TaskSetup), false},
		"the next one runs":   {nodeB, "running", "run", new(true), nil, false},
		"the next is stopped": {nodeB, "pending", "stop", new(true), nil, false},
		"no disk moves":       {nodeB, "pending", "run", new(false), nil, false},
		"nothing is said":     {nodeB, "pending", "run", nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.nodes[nodeA] = fakeNode(nodeA)
			f.allocs = []*api.AllocationListStub{
				{ID: "1", NodeID: nodeA, Name: "db.db[0]", ClientStatus: api.AllocClientStatusComplete, NextAllocation: next, Namespace: "default"},
				{ID: next, NodeID: tc.on, ClientStatus: tc.status},
			}
			group := &api.TaskGroup{Name: new("db"), EphemeralDisk: &api.EphemeralDisk{Migrate: tc.migrate}}
			f.details = map[string]*api.Allocation{next: {
				ID: next, NodeID: tc.on, TaskGroup: "db", ClientStatus: tc.status, DesiredStatus: tc.desired, TaskStates: tc.states,
				Job: &api.Job{TaskGroups: []*api.TaskGroup{group}},
			}}
			in, err := direct(f).Inspect(t.Context(), nodeA)
			if err != nil || (len(in.Live) == 1 && in.Live[0].MovingTo == next) != tc.waits {
				t.Errorf("the leader says %+v, %v", in.Live, err)
			}
			live, err := newRemote(Connection{Address: f.URL}, 2*time.Second).liveAllocations(t.Context(), []string{nodeA})
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
	f.allocs = []*api.AllocationListStub{{ID: "1", NodeID: nodeA, ClientStatus: api.AllocClientStatusComplete, NextAllocation: "cccccccc-0000-4000-8000-000000000001"}}
	if in, err := direct(f).Inspect(t.Context(), nodeA); err != nil || len(in.Live) != 0 || f.count("GET /v1/allocations") != 1 {
		t.Errorf("got %+v, %v", in.Live, err)
	}
}
