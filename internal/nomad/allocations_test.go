package nomad

import (
	"testing"

	"github.com/hashicorp/nomad/api"
)

// A task that fails makes its allocation failed before its poststop tasks have run.
func TestFailedAllocationIsLiveUntilAllItsTasksAreDead(t *testing.T) {
	for name, tc := range map[string]struct {
		status string // of the node
		states map[string]*api.TaskState
		live   int
	}{
		"a task runs on": {NodeReady,
			map[string]*api.TaskState{"a": {State: "dead", Failed: true}, "b": {State: "running"}}, 1},
		"out of touch": {NodeDisconnected,
			map[string]*api.TaskState{"a": {State: "dead", Failed: true}, "b": {State: "running"}}, 1},
		"all are dead": {NodeReady,
			map[string]*api.TaskState{"a": {State: "dead", Failed: true}, "b": {State: "dead"}}, 0},
		"a task is to be started": {NodeReady,
			map[string]*api.TaskState{"a": {State: "dead", Failed: true}, "b": {State: "pending"}}, 1},
		"it failed before its first task": {NodeReady, nil, 0},
		"the client is gone": {NodeDown,
			map[string]*api.TaskState{"a": {State: "dead", Failed: true}, "b": {State: "running"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.nodes[nodeA] = fakeNode(nodeA)
			f.nodes[nodeA].Status = tc.status
			f.allocs = []*api.AllocationListStub{
				{ID: "1", NodeID: nodeA, ClientStatus: api.AllocClientStatusFailed, TaskStates: tc.states},
				{ID: "0", NodeID: nodeA, ClientStatus: api.AllocClientStatusUnknown},
				{ID: "2", NodeID: nodeA, ClientStatus: api.AllocClientStatusComplete},
			}
			in, err := direct(f).Inspect(t.Context(), nodeA)
			if err != nil || len(in.Live) != 1+tc.live || in.Live[0].ID != "0" {
				t.Errorf("got %+v, %v", in.Live, err)
			}
		})
	}
}
