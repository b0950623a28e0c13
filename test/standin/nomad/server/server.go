package server

import (
	"context"
	"io"
	"net"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// Server is a running server.
type Server struct {
	config  Config
	log     hclog.Logger
	store   *state.Store
	keyring *acl.Keyring
	// Events is the event broker.
	Events *Broker
}

// New makes a server, with the state that an earlier one left in DataDir. Start makes it work.
func New(c Config) (*Server, error) {
	c.defaults()
	store, err := state.New()
	if err != nil {
		return nil, err
	}
	keyring, err := acl.NewKeyring()
	if err != nil {
		return nil, err
	}
	return &Server{config: c, log: c.Logger, store: store, keyring: keyring, Events: NewBroker(c.EventBufferSize)}, nil
}

// Start begins to lead or to join, to listen for clients, to schedule and to drain, and returns at once. All ends with ctx.
func (s *Server) Start(ctx context.Context) error { return nil }

// Stop ends the server and waits for its end.
func (s *Server) Stop() error { return nil }

// Config is what the server was made with, defaults filled in.
func (s *Server) Config() Config { return s.config }

// Store is the state: HTTP reads from it, and writes what needs no more than that (ACLs).
func (s *Server) Store() *state.Store { return s.store }

// Keyring signs identities.
func (s *Server) Keyring() *acl.Keyring { return s.keyring }

// Leader is the RPC address of the leader, empty if there is none at the moment.
func (s *Server) Leader() string { return "" }

// IsLeader reports if this server leads.
func (s *Server) IsLeader() bool { return false }

// Peer is a server of the cluster.
type Peer struct {
	// ID is that of raft.
	ID, Name string
	// HTTPAddr, RPCAddr and SerfAddr are host:port.
	HTTPAddr, RPCAddr, SerfAddr string
	Leader, Voter               bool
}

// Peers are the servers of the cluster, this one included, by name.
func (s *Server) Peers() []Peer { return nil }

// Forward is the base URL (scheme and host:port) of the server that has the state, to which a peer forwards all of its HTTP; empty
// if this one has it.
func (s *Server) Forward() string { return "" }

// TransferLeadership makes another server the leader.
func (s *Server) TransferLeadership(id string) error { return nil }

// Writable is ErrNoLeader while the cluster has no leader: then nothing can be written, or read without stale.
func (s *Server) Writable() error { return nil }

// ClientStream opens a stream to a node's client for a streaming RPC such as FileSystem.Logs: the caller writes the header and
// reads the frames.
func (s *Server) ClientStream(nodeID, method string) (net.Conn, error) { return nil, ErrNoNodeConn }

// ClientCall calls a method of a node's client, such as ClientAllocations.Restart.
func (s *Server) ClientCall(ctx context.Context, nodeID, method string, args, reply any) error {
	return ErrNoNodeConn
}

// Snapshot writes all of the state, Restore takes it back: indexes may go back then.
func (s *Server) Snapshot(w io.Writer) error { return nil }

// Restore replaces the state by a snapshot.
func (s *Server) Restore(r io.Reader) error { return nil }

// Blocked counts what waits for capacity, for nomad.nomad.blocked_evals.*.
type Blocked struct {
	Evals, Escaped int
	// Jobs are the evaluations of each job; CPU and MemoryMB what its queued allocations ask for.
	Jobs map[string]BlockedJob
}

// BlockedJob is what a job waits for.
type BlockedJob struct {
	Namespace, Job, Datacenter, NodePool string
	CPU, MemoryMB                        int
}

// Blocked is what waits for capacity.
func (s *Server) Blocked() Blocked { return Blocked{} }

// JobSummary counts the allocations of a job, and what is queued.
func (s *Server) JobSummary(r state.Reader, namespace, id string) *api.JobSummary { return nil }
