package nomad

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// nodesPerRequest bounds the length of the URL that a filter makes.
const nodesPerRequest = 100

// What an allocation may be, as a filter. "unknown" is live: the client is out of touch, and its VM may well run on.
const (
	isLive = `ClientStatus == "pending" or ClientStatus == "running" or ClientStatus == "unknown"`
	// isLiveOrFailed: a task that fails makes its allocation failed, though the poststop tasks, which clean up or save
	// what there is, are yet to run (Nomad: client/allocrunner/alloc_runner.go, handleTaskStateUpdates,
	// getClientStatus).
	isLiveOrFailed = isLive + ` or ClientStatus == "failed"`
)

// The parameters of a list of allocations.
var (
	brief      = map[string]string{"task_states": "false"}
	withUsage  = map[string]string{"task_states": "false", "resources": "true"}
	withStates = map[string]string{"task_states": "true"}
)

// since is what a list of allocations waits for: any change in the cluster after the index. The zero value: nothing.
type since struct {
	index uint64
	wait  time.Duration // at most
}

// filterFor selects the allocations of the nodes that are something. One expression rather than a hundred "or": Nomad
// evaluates the filter for each allocation there is. The IDs are checked, so that nothing in them needs quoting.
func filterFor(nodeIDs []string, is string) string {
	return `(` + is + `) and NodeID matches "^(` + strings.Join(nodeIDs, "|") + `)$"`
}

// listAllocations calls each with every allocation of the nodes that is something. It asks for all namespaces: the list
// of one node's allocations leaves out what the token may not see without an error, this list is refused when the token
// may see none (Nomad: nomad/node_endpoint.go, GetAllocs; nomad/alloc_endpoint.go, List). The answer has the first
// request's index, and how many bytes were read, also if it failed.
func (r *remote) listAllocations(ctx context.Context, nodeIDs []string, is string, params map[string]string,
	after since, each func(*api.AllocationListStub) error) (all answer, err error) {
	for _, id := range nodeIDs {
		if err := checkNodeID(id); err != nil {
			return answer{}, err
		}
	}
	for chunk := range slices.Chunk(nodeIDs, nodesPerRequest) {
		q := api.QueryOptions{Namespace: api.AllNamespacesNamespace, Filter: filterFor(chunk, is), Params: params,
			WaitIndex: after.index, WaitTime: after.wait}
		err := r.query(ctx, "list allocations", q, func(q *api.QueryOptions) error {
			got, err := items(r, "/v1/allocations", q, maxItem, maxItemTokens, func(stub *api.AllocationListStub) error {
				if !slices.Contains(chunk, stub.NodeID) {
					return nil // of a node that wasn't asked for
				}
				return each(stub)
			})
			all.bytes += got.bytes
			if all.index == 0 { // those of the later requests are higher, and what changed before them would be missed
				all.index = got.index
			}
			return err
		})
		if err != nil {
			return all, err
		}
		after = since{} // the first request has waited
	}
	return all, nil
}

// allocationList is an answer to a list of allocations.
type allocationList struct {
	live  map[string][]Allocation
	bytes int64  // how many were read, also if it failed
	next  uint64 // the index to wait for; 0: not all is known yet
}

// liveAllocations returns the live allocations of the nodes, sorted by ID, with an entry for each node whose
// allocations are known. The error is why those of the other nodes are unknown. If the map is nil, those of all nodes
// are. They are kept within h.
func (r *remote) liveAllocations(ctx context.Context, nodeIDs []string, after since,
	h *holding) (allocationList, error) {
	live := make(map[string][]Allocation, len(nodeIDs))
	for _, id := range nodeIDs {
		live[id] = nil
	}
	former := replacedBy{}
	got, err := r.listAllocations(ctx, nodeIDs, isLive+` or `+isReplaced, brief, after,
		func(s *api.AllocationListStub) error {
			switch {
			case !ended(s):
				live[s.NodeID] = append(live[s.NodeID], allocationFromStub(s))
			case !former.add(s):
				return nil
			}
			return h.add(textsOf(s)...)
		})
	if err != nil {
		return allocationList{bytes: got.bytes}, err
	}
	r.migrations.keep(former)
	moving, unknown := r.moving(ctx, former, h)
	for _, a := range moving {
		live[a.NodeID] = append(live[a.NodeID], a)
	}
	for id := range unknown {
		delete(live, id)
	}
	for _, allocs := range live {
		slices.SortFunc(allocs, byID)
	}
	out := allocationList{live: live, bytes: got.bytes}
	if len(moving) == 0 && len(unknown) == 0 { // more is learnt of those without any change
		out.next = nextIndex(after.index, got.index)
	}
	return out, unknown.err()
}

func byID(a, b Allocation) int { return strings.Compare(a.ID, b.ID) }

// runningAllocations returns what is lost if the node's guest stops now: its live allocations and, unless the node is
// down, its failed allocations with a task that runs or is yet to run.
func (r *remote) runningAllocations(ctx context.Context, node Node) ([]Allocation, error) {
	var out []Allocation
	h := holdingAllocations(r.allocations)
	defer h.release() // whoever asks keeps the result for a moment only
	former := replacedBy{}
	_, err := r.listAllocations(ctx, []string{node.ID}, isLiveOrFailed+` or `+isReplaced, withStates, since{},
		func(s *api.AllocationListStub) error {
			switch failed := s.ClientStatus == api.AllocClientStatusFailed; {
			case !ended(s), failed && node.Status != NodeDown && !allDead(s):
				out = append(out, allocationFromStub(s))
			case node.Status == NodeDown, !former.add(s): // the data on a node that is down can't be fetched
				return nil
			}
			return h.add(textsOf(s)...)
		})
	if err != nil {
		return nil, err
	}
	moving, unknown := r.moving(ctx, former, h)
	if len(unknown) > 0 {
		return nil, unknown.err()
	}
	out = append(out, moving...)
	slices.SortFunc(out, byID)
	return out, nil
}

func ended(s *api.AllocationListStub) bool {
	return s.ClientStatus == api.AllocClientStatusComplete || s.ClientStatus == api.AllocClientStatusFailed
}

func allDead(s *api.AllocationListStub) bool {
	for _, task := range s.TaskStates {
		if task == nil || task.State != taskDead { // a null says nothing about the task
			return false
		}
	}
	return true
}

// taskDead is the state of a task that has ended or will not be started any more (Nomad: nomad/structs/structs.go,
// TaskStateDead).
const taskDead = "dead"

func allocationFromStub(s *api.AllocationListStub) Allocation {
	return Allocation{
		ID: s.ID, NodeID: s.NodeID, Namespace: s.Namespace, JobID: s.JobID, JobType: s.JobType, Name: s.Name,
		ClientStatus: s.ClientStatus, DesiredStatus: s.DesiredStatus,
		CreateTime: time.Unix(0, s.CreateTime).UTC(),
	}
}

// textsOf returns those fields of an allocation that are kept and have no bounded length.
func textsOf(s *api.AllocationListStub) []string {
	return []string{s.ID, s.NodeID, s.Namespace, s.JobID, s.JobType, s.Name, s.ClientStatus, s.DesiredStatus,
		s.NextAllocation}
}

// usage adds up the live allocations of each node.
func (r *remote) usage(ctx context.Context, nodeIDs []string) (map[string]Usage, error) {
	usage := make(map[string]Usage, len(nodeIDs))
	for _, id := range nodeIDs {
		usage[id] = Usage{}
	}
	_, err := r.listAllocations(ctx, nodeIDs, isLive, withUsage, since{}, func(s *api.AllocationListStub) error {
		usage[s.NodeID] = usage[s.NodeID].plus(s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return usage, nil
}

func (u Usage) plus(s *api.AllocationListStub) Usage {
	u.Allocations++
	if s.JobType == api.JobTypeSystem {
		u.SystemAllocations++
	}
	// Nomad Autoscaler: sdk/helper/scaleutils/nodeselector/least_busy.go counts running ones only.
	if s.ClientStatus != api.AllocClientStatusRunning || s.AllocatedResources == nil {
		return u
	}
	for _, task := range s.AllocatedResources.Tasks {
		u.CPU += task.Cpu.CpuShares
		u.MemoryMB += task.Memory.MemoryMB
	}
	return u
}

// changedAllocations lists the IDs of nodes whose live allocations changed, or were not known before.
func changedAllocations(before, after map[string][]Allocation) []string {
	var ids []string
	for id, now := range after {
		if then, known := before[id]; !known || !slices.Equal(then, now) {
			ids = append(ids, id)
		}
	}
	return ids
}
