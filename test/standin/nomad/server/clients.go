package server

import (
	"net"
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

// ClientStream opens a stream to a node's client, which answers HTTP there as on its own listener.
func (s *Server) ClientStream(nodeID, _ string) (net.Conn, error) {
	s.clients.mu.Lock()
	session := s.clients.sessions[nodeID]
	s.clients.mu.Unlock()
	if session == nil {
		return nil, ErrNoNodeConn
	}
	return wire.OpenHTTP(session)
}
