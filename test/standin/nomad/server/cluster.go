package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// electionTime is how long a cluster has no leader when one gives way to another.
const electionTime = 300 * time.Millisecond

// Peer is a server of the cluster.
type Peer struct {
	// ID is that of raft.
	ID, Name string
	// Region is the server's.
	Region string
	// HTTPAddr, RPCAddr and SerfAddr are host:port.
	HTTPAddr, RPCAddr, SerfAddr string
	Leader, Voter               bool
	// HTTPS says that HTTPAddr speaks TLS.
	HTTPS bool
}

// cluster is which servers there are, and who leads. Nothing is replicated: the first server has the state, and those
// that join it pass on what they are asked. What can be seen of a change of leaders is done all the same.
type cluster struct {
	server *Server
	self   Peer

	mu     sync.Mutex
	peers  []Peer // without self
	leader string
	holder *Peer // the first server, as known to one that joined
	// regions are servers of the federated regions by name, without the own; facts/nomad.md §5.
	regions map[string]Peer
}

func (c *cluster) init(s *Server) {
	c.server = s
	c.self = Peer{
		ID: serverID(s.config.Region,
			s.config.Name), Region: s.config.Region, Name: s.config.Name + "." + s.config.Region, Voter: true,
		HTTPAddr: s.config.HTTPAddr, RPCAddr: s.config.RPCAddr, SerfAddr: s.config.SerfAddr, HTTPS: s.config.HTTPTLS,
	}
}

func (c *cluster) lead(id string, now time.Time) {
	c.mu.Lock()
	c.leader = id
	c.mu.Unlock()
	c.server.restart(now)
}

// Leader is the RPC address of the leader, empty if there is none at the moment.
func (s *Server) Leader() string {
	for _, p := range s.Peers() {
		if p.Leader {
			return p.RPCAddr
		}
	}
	return ""
}

// HasLeader reports if there is a leader at the moment.
func (s *Server) HasLeader() bool { return s.Leader() != "" }

// IsLeader reports if this server leads.
func (s *Server) IsLeader() bool {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	return s.cluster.leader == s.cluster.self.ID
}

// Peers are the servers of the cluster, this one included, by name.
func (s *Server) Peers() []Peer {
	c := &s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	all := append([]Peer{c.self}, c.peers...)
	for i := range all {
		all[i].Leader = all[i].ID == c.leader
	}
	slices.SortFunc(all, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Forward is the base URL (scheme and host:port) of the server that has the state, to which a peer forwards all of
// its HTTP; empty if this one has it.
func (s *Server) Forward() string {
	if holder := s.cluster.holding(); holder != nil {
		return holder.url()
	}
	return ""
}

func (p Peer) url() string {
	if p.HTTPS {
		return "https://" + p.HTTPAddr
	}
	return "http://" + p.HTTPAddr
}

// Federated are servers of the other regions, one each, by region.
func (s *Server) Federated() []Peer {
	c := &s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.regions), func(a, b Peer) int { return strings.Compare(a.Region, b.Region) })
}

// Regions are the federated regions, the own included, with the base URLs at which the others answer.
func (s *Server) Regions() map[string]string {
	all := map[string]string{s.config.Region: ""}
	for _, p := range s.Federated() {
		all[p.Region] = p.url()
	}
	return all
}

// federate takes in servers of other regions. The lock must be held.
func (c *cluster) federate(others ...Peer) {
	for _, p := range others {
		if p.Region != c.self.Region {
			if c.regions == nil {
				c.regions = map[string]Peer{}
			}
			c.regions[p.Region] = p
		}
	}
}

// ForwardRPC is the RPC address of the server that has the state; empty if this one has it.
func (s *Server) ForwardRPC() string {
	if holder := s.cluster.holding(); holder != nil {
		return holder.RPCAddr
	}
	return ""
}

func (c *cluster) holding() *Peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holder
}

// Writable is ErrNoLeader while the cluster has no leader: then nothing can be written, or read without stale.
func (s *Server) Writable() error {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	if s.cluster.leader == "" {
		return ErrNoLeader
	}
	return nil
}

// TransferLeadership makes another server the leader.
func (s *Server) TransferLeadership(id string) error {
	c := &s.cluster
	c.mu.Lock()
	known := id == c.self.ID || slices.ContainsFunc(c.peers, func(p Peer) bool { return p.ID == id })
	if known && c.leader != id {
		c.leader = ""
	}
	pending := c.leader == ""
	c.mu.Unlock()
	if !known {
		return invalid("address or id %q was not found in the Raft configuration", id)
	}
	if pending {
		s.goOn(func() {
			time.Sleep(electionTime)
			c.lead(id, time.Now())
		})
	}
	return nil
}

// listen takes in servers that join.
func (c *cluster) listen(ctx context.Context) error {
	if c.server.config.SerfBind == "" {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.server.config.SerfBind)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(c.joined), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	c.server.goOn(func() { _ = server.Serve(listener) }) // returns when it is closed
	return nil
}

// joinReply is what a server that joins learns.
type joinReply struct {
	Holder Peer
	Peers  []Peer
	Leader string
	// Regions are servers of other regions than the holder's.
	Regions []Peer
}

func (c *cluster) joined(w http.ResponseWriter, r *http.Request) {
	var p Peer
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	if c.federate(p); p.Region == c.self.Region {
		c.peers = append(slices.DeleteFunc(c.peers, func(old Peer) bool { return old.ID == p.ID }), p)
	}
	reply := joinReply{Holder: c.self, Peers: slices.Clone(c.peers), Leader: c.leader,
		Regions: slices.Collect(maps.Values(c.regions))}
	c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(reply) // an error means that it has gone
}

// join joins one of the servers, and keeps in touch with it.
func (c *cluster) join(ctx context.Context) {
	ticker := time.NewTicker(min(c.server.config.RetryInterval, time.Second))
	defer ticker.Stop()
	for {
		for _, address := range c.server.config.RetryJoin {
			if err := c.meet(ctx, address); err != nil && ctx.Err() == nil {
				c.server.log.Warn("join failed", "server", address, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *cluster) meet(ctx context.Context, address string) error {
	body, err := json.Marshal(c.self)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	var reply joinReply
	err = errors.Join(json.NewDecoder(response.Body).Decode(&reply), response.Body.Close())
	if err != nil {
		return fmt.Errorf("server at %s: %w", address, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.federate(append(reply.Regions, reply.Holder)...)
	switch {
	case reply.Holder.Region != c.self.Region:
		return nil
	case c.server.config.BootstrapExpect > 0:
		return fmt.Errorf("server at %s is of the same region, where this one leads by itself (bootstrap_expect)", address)
	}
	c.holder, c.leader = &reply.Holder, reply.Leader
	c.peers = append(slices.DeleteFunc(reply.Peers, func(p Peer) bool { return p.ID == c.self.ID }), reply.Holder)
	return nil
}
