package server

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// heartbeats know until when each node has to be heard of.
type heartbeats struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (h *heartbeats) init() { h.until = map[string]time.Time{} }

// beat notes that a node was heard of, and returns when it is to be heard of again.
func (s *Server) beat(id string, now time.Time) time.Duration {
	s.beats.mu.Lock()
	defer s.beats.mu.Unlock()
	ttl := s.config.MinHeartbeatTTL
	if rate := s.config.MaxHeartbeatsPerSecond; rate > 0 {
		ttl = max(ttl, time.Duration(float64(len(s.beats.until))/rate*float64(time.Second)))
	}
	ttl += rand.N(ttl)
	s.beats.until[id] = now.Add(ttl + s.config.HeartbeatGrace)
	return ttl
}

func (s *Server) forget(id string) {
	s.beats.mu.Lock()
	defer s.beats.mu.Unlock()
	delete(s.beats.until, id)
}

// restart is what a new leader begins with: clients have failover_heartbeat_ttl to be heard of, dead ones look ready
// until then (facts/nomad.md §10.28), locks are good for another whole term, and the drainer looks at all drains anew.
func (s *Server) restart(now time.Time) {
	snapshot := s.store.Read()
	s.beats.mu.Lock()
	s.beats.until = map[string]time.Time{}
	for _, n := range state.Nodes.All(snapshot) {
		if n.Status != state.NodeDown {
			s.beats.until[n.ID] = now.Add(s.config.FailoverHeartbeatTTL)
		}
	}
	s.beats.mu.Unlock()
	s.restoreLocks(snapshot, now)
	s.mu.Lock()
	quirks := s.drainer.Quirks
	s.drainer = newDrainer(quirks)
	for _, n := range state.Nodes.All(snapshot) {
		if n.DrainStrategy != nil {
			s.drainer.Requested(n.ID, now)
		}
	}
	s.unplaced = map[string]unplaced{}
	s.mu.Unlock()
	s.work.capacityChanged()
}

// expire marks nodes down that weren't heard of in time.
func (s *Server) expire(now time.Time) {
	var late []string
	s.beats.mu.Lock()
	for id, until := range s.beats.until {
		if now.After(until) {
			late = append(late, id)
			delete(s.beats.until, id)
		}
	}
	s.beats.mu.Unlock()
	if len(late) == 0 {
		return
	}
	_, err := s.store.Write(func(tx *state.Txn) error {
		for _, id := range late {
			n := state.Nodes.Get(tx, id)
			if n == nil || n.Status == state.NodeDown {
				continue
			}
			c := n.Copy()
			c.Status, c.StatusUpdatedAt, c.Transition = state.NodeDown, now.Unix(), tx.Index
			c.Events = appendEvent(c.Events, nodeEvent("Cluster", "Node heartbeat missed", now), tx.Index)
			state.Nodes.Put(tx, c)
			s.evaluateOn(tx, id)
		}
		return nil
	})
	if err != nil {
		s.log.Error("marking nodes down", "error", err)
	}
}

// evaluateOn has the jobs evaluated that have something on a node.
func (s *Server) evaluateOn(r state.Reader, nodeID string) {
	for _, a := range state.Allocs.By(r, state.ByNode, nodeID) {
		if !state.Terminal(a) {
			s.work.evaluate(state.Key(a.Namespace, a.JobID), "node-update")
		}
	}
}
