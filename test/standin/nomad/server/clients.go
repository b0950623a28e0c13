package server

import (
	"context"
	"sync"

	"github.com/hashicorp/yamux"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

// clients are the connections that nodes have opened, by which they can be asked.
type clients struct {
	mu       sync.Mutex
	sessions map[string]*yamux.Session
}

func (c *clients) init() { c.sessions = map[string]*yamux.Session{} }

// Connected notes by which connection a node can be asked.
func (s *Server) Connected(nodeID string, session *yamux.Session) {
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	s.clients.sessions[nodeID] = session
}

// Disconnected forgets the connection of a node, if it is still that one.
func (s *Server) Disconnected(nodeID string, session *yamux.Session) {
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	if s.clients.sessions[nodeID] == session {
		delete(s.clients.sessions, nodeID)
	}
}

// ClientCall calls a method of a node's client, such as ClientAllocations.Restart.
func (s *Server) ClientCall(ctx context.Context, nodeID, method string, args, reply any) error {
	s.clients.mu.Lock()
	session := s.clients.sessions[nodeID]
	s.clients.mu.Unlock()
	if session == nil {
		return ErrNoNodeConn
	}
	return wire.Call(ctx, session, method, args, reply)
}
