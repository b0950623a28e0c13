package server

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// identityTTL is how long the identity of a node is good (facts/nomad.md §4).
const identityTTL = 24 * time.Hour

// Registered is what a client learns when it has registered or sent a heartbeat.
type Registered struct {
	Index          uint64
	HeartbeatTTL   time.Duration
	NumNodes       int32
	LeaderRPCAddr  string
	SignedIdentity string
	EvalIDs        []string
}

// RegisterNode takes in a node, or what is new of one.
func (s *Server) RegisterNode(n *state.Node, token string) (Registered, error) {
	now := time.Now()
	if n.NodePool == "" {
		n.NodePool = api.NodePoolDefault
	}
	switch {
	case n.ID == "":
		return Registered{}, errors.New("missing node ID for client registration")
	case n.Datacenter == "":
		return Registered{}, errors.New("missing datacenter for client registration")
	case n.Name == "":
		return Registered{}, errors.New("missing node name for client registration")
	case n.SecretID == "":
		return Registered{}, errors.New("missing node secret ID for client registration")
	}
	err := s.keyring.Admit(s.config.Enforcement,
		acl.Registration{ID: n.ID, Name: n.Name, Pool: n.NodePool, SecretID: n.SecretID, Token: token}, now)
	if err != nil {
		return Registered{}, err
	}
	out := Registered{}
	out.Index, err = s.write(func(tx *state.Txn) error {
		old := state.Nodes.Get(tx, n.ID)
		if old != nil && old.SecretID != n.SecretID {
			//nolint:staticcheck,revive // Nomad's words
			return errors.New("node secret ID does not match. Not registering node.")
		}
		s.admit(tx, n, old, now)
		if state.NodePools.Get(tx, n.NodePool) == nil {
			state.NodePools.Put(tx, &api.NodePool{Name: n.NodePool})
		}
		state.Nodes.Put(tx, n)
		return nil
	})
	if err != nil {
		return out, err
	}
	if out.SignedIdentity, err = s.identify(n, token, now); err != nil {
		return out, err
	}
	out.HeartbeatTTL, out.LeaderRPCAddr = s.beat(n.ID, now), s.Leader()
	return out, nil
}

// admit gives a new node what a node begins with, and one that is known what only the servers know of it: its
// eligibility, its drain and how the last one ended outlive a restart (facts/nomad.md §3).
func (s *Server) admit(tx *state.Txn, n, old *state.Node, now time.Time) {
	if n.Status == "" {
		n.Status = state.NodeInit
	}
	n.StatusUpdatedAt = now.Unix()
	if old == nil {
		if n.SchedulingEligibility == "" {
			n.SchedulingEligibility = state.Eligible
		}
		n.Transition = 0
		n.Events = appendEvent(nil, nodeEvent("Cluster", "Node registered", now), tx.Index)
		return
	}
	n.SchedulingEligibility, n.DrainStrategy, n.Drain, n.LastDrain, n.Events = old.SchedulingEligibility,
		old.DrainStrategy, old.Drain, old.LastDrain, old.Events
	n.Transition = old.Transition
	if old.Status == state.NodeDown {
		n.Events = appendEvent(n.Events, nodeEvent("Cluster", "Node re-registered", now), tx.Index)
	}
}

// identify signs the identity of a node that hasn't shown a good one.
func (s *Server) identify(n *state.Node, token string, now time.Time) (string, error) {
	if claims, err := s.keyring.Verify(token, now); err == nil && claims.IsNode() && claims.NodePool == n.NodePool {
		return "", nil
	}
	return s.keyring.Identify(s.config.Region,
		acl.Node{ID: n.ID, Pool: n.NodePool, Class: n.NodeClass, Datacenter: n.Datacenter}, now, identityTTL)
}

// UpdateNodeStatus is a heartbeat. It writes nothing unless the status changes.
func (s *Server) UpdateNodeStatus(id, status string) (Registered, error) {
	if err := s.Writable(); err != nil {
		return Registered{}, err
	}
	now := time.Now()
	snapshot := s.store.Read()
	n := state.Nodes.Get(snapshot, id)
	if n == nil {
		return Registered{}, errors.New("node not found")
	}
	out := Registered{Index: n.ModifyIndex, LeaderRPCAddr: s.Leader()}
	if n.Status != status {
		var err error
		if out.Index, err = s.write(func(tx *state.Txn) error { return s.setStatus(tx, id, status, now) }); err != nil {
			return out, err
		}
	}
	out.HeartbeatTTL = s.beat(id, now)
	return out, nil
}

func (s *Server) setStatus(tx *state.Txn, id, status string, now time.Time) error {
	n := state.Nodes.Get(tx, id)
	if n == nil {
		return errors.New("node not found")
	}
	c := n.Copy()
	if n.Status == state.NodeDown && status == state.NodeReady {
		c.Events = appendEvent(c.Events, nodeEvent("Cluster", "Node reregistered by heartbeat", now), tx.Index)
	}
	c.Status, c.StatusUpdatedAt, c.Transition = status, now.Unix(), tx.Index
	state.Nodes.Put(tx, c)
	s.evaluateOn(tx, id)
	return nil
}

// ClientAllocs are the allocations of a node with the index of the last change by the servers. It waits for one after
// minIndex.
func (s *Server) ClientAllocs(ctx context.Context, id, secret string,
	minIndex uint64) (map[string]uint64, uint64, error) {
	if n := state.Nodes.Get(s.store.Read(), id); n == nil {
		return nil, 0, errors.New("node not found")
	} else if secret != "" && n.SecretID != secret {
		return nil, 0, errors.New("node secret ID does not match")
	}
	index := s.store.AwaitAllocs(ctx, id, minIndex)
	allocs := map[string]uint64{}
	snapshot := s.store.Read()
	for _, a := range state.Allocs.By(snapshot, state.ByNode, id) {
		// Of one that is lost the client may know nothing yet, and be running it.
		if !state.Terminal(a) || !state.ServerTerminal(a) || a.ClientStatus == state.ClientLost || isFetched(snapshot, a) {
			allocs[a.ID] = a.AllocModifyIndex
		}
	}
	return allocs, index, nil
}

// AllocsByID are allocations with their jobs.
func (s *Server) AllocsByID(ids []string) []*api.Allocation {
	snapshot := s.store.Read()
	var out []*api.Allocation
	for _, id := range ids {
		if a := state.Allocs.Get(snapshot, id); a != nil {
			out = append(out, a)
		}
	}
	return out
}

// UpdateAllocs takes what clients report of their allocations.
func (s *Server) UpdateAllocs(reports []*api.Allocation) (uint64, error) {
	now := time.Now()
	return s.write(func(tx *state.Txn) error {
		for _, r := range reports {
			a := state.Allocs.Get(tx, r.ID)
			if a == nil {
				continue
			}
			c := *a
			c.ClientStatus, c.ClientDescription = r.ClientStatus, r.ClientDescription
			if r.TaskStates != nil {
				c.TaskStates = maps.Clone(r.TaskStates)
			}
			if d := r.DeploymentStatus; d != nil && d.Healthy != nil {
				c.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: d.Healthy, Timestamp: now, ModifyIndex: tx.Index}
			}
			c.ModifyTime = now.UnixNano()
			state.Allocs.Put(tx, &c)
			s.work.evaluate(state.Key(c.Namespace, c.JobID), "alloc-update")
		}
		return nil
	})
}

// NodeEvents adds what a client tells of itself.
func (s *Server) NodeEvents(events map[string][]*api.NodeEvent) error {
	_, err := s.write(func(tx *state.Txn) error {
		for id, list := range events {
			n := state.Nodes.Get(tx, id)
			if n == nil {
				continue
			}
			c := n.Copy()
			for _, e := range list {
				c.Events = appendEvent(c.Events, e, tx.Index)
			}
			state.Nodes.Put(tx, c)
		}
		return nil
	})
	return err
}
