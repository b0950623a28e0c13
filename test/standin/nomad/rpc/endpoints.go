package rpc

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// Request is what every request has.
type Request struct {
	Region, AuthToken string
}

// maxWait is how long a request for changes waits at most.
const maxWait = 5 * time.Minute

// Node are the methods for nodes.
type Node struct {
	ctx    context.Context //nolint:containedctx // that of the connection, which net/rpc doesn't hand on
	server *server.Server
	known  *nodes
}

// RegisterRequest is that of Node.Register.
type RegisterRequest struct {
	Request
	Node *state.Node
}

// Register takes in a node.
func (n *Node) Register(r *RegisterRequest, reply *server.Registered) (err error) {
	if r.Node == nil {
		return server.Errorf(400, "missing node for client registration")
	}
	if *reply, err = n.server.RegisterNode(r.Node, r.AuthToken); err == nil {
		n.known.heard(r.Node.ID)
	}
	return err
}

// UpdateStatusRequest is that of Node.UpdateStatus.
type UpdateStatusRequest struct {
	Request
	NodeID, Status string
}

// UpdateStatus is a heartbeat.
func (n *Node) UpdateStatus(r *UpdateStatusRequest, reply *server.Registered) (err error) {
	if *reply, err = n.server.UpdateNodeStatus(r.NodeID, r.Status); err == nil {
		n.known.heard(r.NodeID)
	}
	return err
}

// ClientAllocsRequest is that of Node.GetClientAllocs.
type ClientAllocsRequest struct {
	Request
	NodeID, SecretID string
	MinQueryIndex    uint64
	MaxQueryTime     time.Duration
}

// ClientAllocsReply has the allocations of a node with the index of the servers' last change of each.
type ClientAllocsReply struct {
	Allocs map[string]uint64
	Index  uint64
}

// GetClientAllocs waits for a change of the node's allocations.
func (n *Node) GetClientAllocs(r *ClientAllocsRequest, reply *ClientAllocsReply) (err error) {
	wait := r.MaxQueryTime
	if wait <= 0 || wait > maxWait {
		wait = maxWait
	}
	ctx, cancel := context.WithTimeout(n.ctx, wait)
	defer cancel()
	reply.Allocs, reply.Index, err = n.server.ClientAllocs(ctx, r.NodeID, r.SecretID, r.MinQueryIndex)
	return err
}

// UpdateAllocRequest is that of Node.UpdateAlloc.
type UpdateAllocRequest struct {
	Request
	Alloc []*api.Allocation
}

// Reply is that of what only writes.
type Reply struct{ Index uint64 }

// UpdateAlloc takes what a client reports of its allocations.
func (n *Node) UpdateAlloc(r *UpdateAllocRequest, reply *Reply) (err error) {
	reply.Index, err = n.server.UpdateAllocs(r.Alloc)
	return err
}

// EmitEventsRequest is that of Node.EmitEvents.
type EmitEventsRequest struct {
	Request
	NodeEvents map[string][]*api.NodeEvent
}

// EmitEvents takes what clients tell of themselves.
func (n *Node) EmitEvents(r *EmitEventsRequest, _ *Reply) error {
	return n.server.NodeEvents(r.NodeEvents)
}

// Alloc are the methods for allocations.
type Alloc struct{ server *server.Server }

// GetAllocsRequest is that of Alloc.GetAllocs.
type GetAllocsRequest struct {
	Request
	AllocIDs []string
}

// GetAllocsReply has allocations with their jobs.
type GetAllocsReply struct {
	Allocs []*api.Allocation
	Index  uint64
}

// GetAllocs reads allocations.
func (a *Alloc) GetAllocs(r *GetAllocsRequest, reply *GetAllocsReply) error {
	reply.Allocs = a.server.AllocsByID(r.AllocIDs)
	return nil
}

// FormerRequest is that of Alloc.Former.
type FormerRequest struct {
	Request
	AllocID string
}

// Former tells what is to be known of an allocation to fetch its data. Nomad's clients ask for the allocation and its
// node, and have the token with what they are to run.
func (a *Alloc) Former(r *FormerRequest, reply *server.Former) error {
	*reply = a.server.Former(r.AllocID)
	return nil
}

// ACL are the methods by which clients find out what a token may do.
type ACL struct{ server *server.Server }

// ResolveRequest is that of ACL.Resolve.
type ResolveRequest struct {
	Request
	SecretID string
}

// ResolveReply says what the holder of a token may do.
type ResolveReply struct {
	Enabled, Management bool
	AccessorID          string
	// Policies are the rules of the token's policies.
	Policies []string
}

// Resolve finds out what a token may do.
func (a *ACL) Resolve(r *ResolveRequest, reply *ResolveReply) error {
	if reply.Enabled = a.server.Config().ACLEnabled; !reply.Enabled {
		reply.Management = true
		return nil
	}
	snapshot := a.server.Store().Read()
	token, err := acl.TokenOf(snapshot, r.SecretID, time.Now())
	if err != nil {
		return err
	}
	reply.AccessorID, reply.Management = token.AccessorID, token.Type == acl.TypeManagement
	for _, name := range acl.PolicyNames(snapshot, token) {
		if p := snapshot.ACLPolicyByName(name); p != nil {
			reply.Policies = append(reply.Policies, p.Rules)
		}
	}
	return nil
}

// Status are the methods that tell of the server.
type Status struct{ server *server.Server }

// Ping answers.
func (s *Status) Ping(_ *Request, _ *struct{}) error { return nil }

// Leader is the RPC address of the leader.
func (s *Status) Leader(_ *Request, reply *string) error {
	*reply = s.server.Leader()
	return nil
}
