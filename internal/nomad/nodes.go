package nomad

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/hashicorp/nomad/api"
)

// membersFilter selects the nodes of all pools of all controllers.
const membersFilter = `"` + MetaPoolUID + `" in Meta`

// Keys of a drain's meta: the ID of the drain request (spec.drain), Force or Retain, and true or false. They are needed
// because the list of nodes shows the meta of the last drain, but neither its strategy nor its deadline.
const (
	metaDrainID          = "harvester_drain_id"
	metaOnTimeout        = "harvester_drain_on_timeout"
	metaIgnoreSystemJobs = "harvester_drain_ignore_system_jobs"
)

// nodeList is an answer to a list of nodes.
type nodeList struct {
	nodes map[string]Node
	next  uint64 // the index to wait for
	bytes int64  // how many were read, also if it failed
}

// listNodes lists the members. With an index it returns when that has passed, or after wait. Only the leader answers:
// another server's answer may be older than our own writes. The nodes are kept within h.
func (r *remote) listNodes(ctx context.Context, index uint64, wait time.Duration, h *holding) (nodeList, error) {
	q := api.QueryOptions{Filter: membersFilter, Params: map[string]string{"resources": "true"}, WaitIndex: index}
	if index != 0 {
		q.WaitTime = wait
	}
	out := nodeList{nodes: map[string]Node{}}
	err := r.query(ctx, "list nodes", q, func(q *api.QueryOptions) error {
		got, err := items(r, "/v1/nodes", q, maxItem, maxItemTokens, func(stub *api.NodeListStub) error {
			if !nodeIDPattern.MatchString(stub.ID) { // no member has another kind of ID, but a client may give itself one
				return nil
			}
			n := nodeFromStub(stub)
			out.nodes[n.ID] = n
			return h.add(n.texts()...)
		})
		out.next, out.bytes = nextIndex(index, got.index), got.bytes
		return err
	})
	if err != nil {
		return nodeList{bytes: out.bytes}, err
	}
	markNamesakes(out.nodes)
	return out, nil
}

// texts returns those fields of a node that have no bounded length.
func (n Node) texts() []string {
	texts := []string{n.ID, n.Name, n.Status, n.NodePool, n.NodeClass, n.Datacenter, n.Version, n.Address}
	if d := n.LastDrain; d != nil {
		texts = append(texts, d.Status, d.DrainID, string(d.OnTimeout), d.AccessorID)
	}
	return texts
}

// nextIndex is the index to wait for after an answer that carries got. If the index went back, the servers were
// restored from a snapshot. It may take long until they reach the old index again, so the next request must not wait
// for it.
func nextIndex(waited, got uint64) uint64 {
	if got < waited {
		return 0
	}
	return got
}

// info reads one node; a missing one gives ErrNodeNotFound.
func (r *remote) info(ctx context.Context, nodeID string) (Node, error) {
	if err := checkNodeID(nodeID); err != nil {
		return Node{}, err
	}
	var node Node
	err := r.query(ctx, "read node "+nodeID, api.QueryOptions{}, func(q *api.QueryOptions) error {
		info, _, err := r.api.Nodes().Info(nodeID, q)
		if err != nil {
			return err
		}
		if info == nil || info.ID != nodeID {
			return errNoResponse // the answer is about another node
		}
		node = nodeFromInfo(info)
		return nil
	})
	return node, err
}

// inspect reads the node first, so that the allocations are at least as new as the node.
func (r *remote) inspect(ctx context.Context, nodeID string) (Inspection, error) {
	node, err := r.info(ctx, nodeID)
	if errors.Is(err, ErrNodeNotFound) {
		return Inspection{}, nil
	}
	if err != nil {
		return Inspection{}, err
	}
	live, err := r.runningAllocations(ctx, node)
	if err != nil {
		return Inspection{}, err
	}
	return Inspection{Found: true, Node: node, Live: live}, nil
}

func nodeFromStub(s *api.NodeListStub) Node {
	n := Node{
		ID: s.ID, Name: s.Name, Status: s.Status,
		NodePool: s.NodePool, NodeClass: s.NodeClass, Datacenter: s.Datacenter,
		Version: s.Version, Address: s.Address,
		Eligible: s.SchedulingEligibility == api.NodeSchedulingEligible,
		Draining: s.Drain, LastDrain: drainFrom(s.LastDrain),
		CreateIndex: s.CreateIndex,
	}
	n.CPU, n.MemoryMB = usable(s.NodeResources, s.ReservedResources)
	return n
}

func nodeFromInfo(i *api.Node) Node {
	n := Node{
		ID: i.ID, Name: i.Name, Status: i.Status,
		NodePool: i.NodePool, NodeClass: i.NodeClass, Datacenter: i.Datacenter,
		Version:  i.Attributes["nomad.version"],
		Eligible: i.SchedulingEligibility == api.NodeSchedulingEligible,
		Draining: i.DrainStrategy != nil, LastDrain: drainFrom(i.LastDrain),
		CreateIndex: i.CreateIndex,
		PoolUID:     i.Meta[MetaPoolUID], Member: i.Meta[MetaMember],
	}
	if i.DrainStrategy != nil {
		n.ForceDeadline, n.StopsNow = i.DrainStrategy.ForceDeadline, i.DrainStrategy.Deadline < 0
	}
	if host, _, err := net.SplitHostPort(i.HTTPAddr); err == nil {
		n.Address = host
	}
	n.CPU, n.MemoryMB = usable(i.NodeResources, i.ReservedResources)
	return n
}

func drainFrom(d *api.DrainMetadata) *Drain {
	if d == nil {
		return nil
	}
	return &Drain{Status: string(d.Status), DrainID: d.Meta[metaDrainID], OnTimeout: TimeoutAction(d.Meta[metaOnTimeout]),
		IgnoreSystemJobs: d.Meta[metaIgnoreSystemJobs] == "true",
		AccessorID:       d.AccessorID, StartedAt: d.StartedAt, UpdatedAt: d.UpdatedAt}
}

func usable(total *api.NodeResources, reserved *api.NodeReservedResources) (cpu, memoryMB int64) {
	if total == nil {
		return 0, 0
	}
	cpu, memoryMB = total.Cpu.CpuShares, total.Memory.MemoryMB
	if reserved != nil {
		cpu -= int64(reserved.Cpu.CpuShares)
		memoryMB -= int64(reserved.Memory.MemoryMB)
	}
	return max(cpu, 0), max(memoryMB, 0)
}

// changedNodes lists the IDs of nodes that came, went or changed.
func changedNodes(before, after map[string]Node) []string {
	var ids []string
	for id, now := range after {
		if then, known := before[id]; !known || !sameNode(then, now) {
			ids = append(ids, id)
		}
	}
	for id := range before {
		if _, still := after[id]; !still {
			ids = append(ids, id)
		}
	}
	return ids
}

func sameNode(a, b Node) bool {
	if (a.LastDrain == nil) != (b.LastDrain == nil) {
		return false
	}
	if a.LastDrain != nil && *a.LastDrain != *b.LastDrain {
		return false
	}
	a.LastDrain, b.LastDrain = nil, nil
	return a == b
}
