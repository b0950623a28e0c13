package nomad

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// state is what is known of one cluster. Its maps are replaced, never written to, so that readers may keep them.
type state struct {
	mu        sync.RWMutex
	nodes     map[string]Node
	taken     time.Time
	listErr   error  // of the latest list
	token     Health // what the latest check of the token found
	health    Health // what follows from listErr and token
	breaker   breaker
	recovered recovered
	// introduces: an introduction token was given.
	introduces bool

	allocations AllocationsView
	tracked     map[string]struct{}
	added       uint64 // how many were ever tracked
}

func newState(initial Health) *state {
	return &state{token: initial, health: initial, tracked: map[string]struct{}{}}
}

func (s *state) view() View {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return View{Taken: s.taken, Nodes: s.nodes, Health: s.health, RecoveredSince: s.recovered.since(),
		Leader: s.recovered.leader, Introduces: s.introduces}
}

func (s *state) allocationsView() AllocationsView {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.allocations
}

// listed records an answer and returns the nodes that it changes, and if it changes the health.
func (s *state) listed(nodes map[string]Node, at time.Time) (changed []string, health bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listErr != nil { // it was away, and is back
		s.breaker = breaker{}
	}
	changed = changedNodes(s.nodes, nodes)
	s.nodes, s.taken, s.listErr = nodes, at, nil
	return changed, s.judge(at)
}

// setLeader records which server leads.
func (s *state) setLeader(leader string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovered.setLeader(leader, at)
}

// introduced records that Nomad gives introduction tokens.
func (s *state) introduced() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.introduces = true
}

// listFailed records that there was no answer. The nodes stay as they were last listed.
func (s *state) listFailed(err error, at time.Time) (health bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listErr = err
	return s.judge(at)
}

// judged records the result of a check of the token.
func (s *state) judged(token Health, at time.Time) (health bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
	return s.judge(at)
}

// called records the result of a worker's request. That one fails while the lists fail, too, is nothing new.
func (s *state) called(err error, at time.Time) (health bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || s.listErr == nil {
		s.breaker.note(err, at)
	}
	return s.judge(at)
}

// suspended is true while workers' requests aren't sent.
func (s *state) suspended(now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.breaker.isOpen(now)
}

// judge is called with the lock held. That workers' requests have no answer says nothing against what is listed: nodes
// needn't recover from it.
func (s *state) judge(at time.Time) (changed bool) {
	before := s.health
	// With a good token alone nothing is known: the nodes have to be listed, too.
	now := healthFrom(s.listErr, s.token)
	// Nor is a token to blame for which nothing could be learnt: the first list is about to say if Nomad answers at all.
	early := now.OK() || now.State == HealthTokenUnverifiable && s.listErr == nil
	if !early || !s.taken.IsZero() {
		s.health = now
	}
	s.recovered.setHealthy(s.health.OK(), at)
	if s.health.OK() && s.breaker.isOpen(at) {
		s.health = s.breaker.health()
	}
	return s.health != before
}

// track returns true when a node that was not tracked now is.
func (s *state) track(nodeID string, on bool) (added bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, tracked := s.tracked[nodeID]
	switch {
	case on && !tracked:
		s.tracked[nodeID] = struct{}{}
		s.added++
		return true
	case !on && tracked:
		delete(s.tracked, nodeID)
		// So that a later poll doesn't compare with allocations of today.
		s.allocations.Live = maps.Clone(s.allocations.Live)
		delete(s.allocations.Live, nodeID)
	}
	return false
}

// trackedNodes returns them, and a number that rises with each that is added.
func (s *state) trackedNodes() (ids []string, added uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.tracked)), s.added
}

// polled records the answer to a poll that began at started, with the error if it doesn't cover all nodes, and returns
// the nodes that it changes.
func (s *state) polled(live map[string][]Allocation, started time.Time, err error) (changed []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(live, func(id string, _ []Allocation) bool {
		_, tracked := s.tracked[id]
		return !tracked
	})
	changed = changedAllocations(s.allocations.Live, live)
	s.allocations = AllocationsView{Started: started, Live: live, Err: err}
	return changed
}

func (s *state) pollFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allocations.Err = err
}
