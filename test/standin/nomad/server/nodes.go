package server

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/drainer"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// DrainRequest is what PUT /v1/node/:id/drain asks for.
type DrainRequest struct {
	NodeID string
	// Spec is nil to cancel.
	Spec         *api.DrainSpec
	MarkEligible bool
	Meta         map[string]string
	// AccessorID is who asks, as "token:<accessor>" or "client:<id>".
	AccessorID string
}

// NodeUpdate is what a change of a node led to.
type NodeUpdate struct {
	Index           uint64
	NodeModifyIndex uint64
	EvalIDs         []string
	EvalCreateIndex uint64
}

func newDrainer(q drainer.Quirks) drainer.Drainer { return drainer.Drainer{Quirks: q} }

// UpdateDrain starts, changes or cancels a drain. Each call counts the deadline anew (facts/nomad.md §2).
func (s *Server) UpdateDrain(r DrainRequest) (NodeUpdate, error) {
	now := time.Now()
	update, err := s.changeNode(r.NodeID, func(n *state.Node, index uint64) error {
		if r.Spec == nil {
			cancelDrain(n, r, now, index)
			return nil
		}
		startDrain(n, r, now, index)
		return nil
	})
	if err == nil && r.Spec != nil {
		s.mu.Lock()
		s.drainer.Requested(r.NodeID, now)
		s.mu.Unlock()
	}
	return update, err
}

func startDrain(n *state.Node, r DrainRequest, now time.Time, index uint64) {
	strategy := &api.DrainStrategy{DrainSpec: *r.Spec, StartedAt: now.UTC()}
	message := "Node drain strategy set"
	second := now.UTC().Truncate(time.Second)
	last := &api.DrainMetadata{StartedAt: second, UpdatedAt: second, Status: api.DrainStatusDraining,
		AccessorID: r.AccessorID, Meta: r.Meta}
	if old := n.DrainStrategy; old != nil {
		message = "Node drain strategy updated"
		strategy.StartedAt = old.StartedAt
		if n.LastDrain != nil {
			last.StartedAt = n.LastDrain.StartedAt
			if r.Meta == nil { // an update without keeps it; a new drain wipes it (facts/nomad.md §2)
				last.Meta = n.LastDrain.Meta
			}
		}
	}
	if r.Spec.Deadline > 0 {
		strategy.ForceDeadline = now.UTC().Add(r.Spec.Deadline)
	}
	n.DrainStrategy, n.Drain, n.LastDrain = strategy, true, last
	n.SchedulingEligibility = state.Ineligible
	n.Events = appendEvent(n.Events, nodeEvent("Drain", message, now), index)
}

func cancelDrain(n *state.Node, r DrainRequest, now time.Time, index uint64) {
	if n.DrainStrategy != nil {
		last := api.DrainMetadata{StartedAt: now.UTC().Truncate(time.Second)}
		if n.LastDrain != nil {
			last = *n.LastDrain
		}
		last.Status, last.UpdatedAt, last.AccessorID = api.DrainStatusCanceled, now.UTC().Truncate(time.Second), r.AccessorID
		if r.Meta != nil {
			last.Meta = r.Meta
		}
		n.LastDrain = &last
	}
	n.DrainStrategy, n.Drain = nil, false
	if r.MarkEligible {
		n.SchedulingEligibility = state.Eligible
	}
	n.Events = appendEvent(n.Events, nodeEvent("Drain", "Node drain strategy unset", now), index)
}

// ToggleEligibility makes a node eligible or not.
func (s *Server) ToggleEligibility(nodeID string, eligible bool) (NodeUpdate, error) {
	want, message := state.Ineligible, "Node marked as ineligible for scheduling"
	if eligible {
		want, message = state.Eligible, "Node marked as eligible for scheduling"
	}
	return s.changeNode(nodeID, func(n *state.Node, index uint64) error {
		switch {
		case eligible && n.DrainStrategy != nil:
			return ErrDraining
		case n.SchedulingEligibility == want:
			return errNothing
		}
		n.SchedulingEligibility = want
		n.Events = appendEvent(n.Events, nodeEvent("Cluster", message, time.Now()), index)
		return nil
	})
}

// changeNode changes a node that is there.
func (s *Server) changeNode(id string, change func(n *state.Node, index uint64) error) (NodeUpdate, error) {
	var update NodeUpdate
	index, err := s.write(func(tx *state.Txn) error {
		n := state.Nodes.Get(tx, id)
		if n == nil {
			return ErrNodeNotFound
		}
		update.NodeModifyIndex = n.ModifyIndex
		c := n.Copy()
		if err := change(c, tx.Index); err != nil {
			return err
		}
		state.Nodes.Put(tx, c)
		update.NodeModifyIndex, update.EvalCreateIndex = tx.Index, tx.Index
		return nil
	})
	update.Index = index
	if quietly(err) == nil && err != nil {
		update.Index = update.NodeModifyIndex
	}
	return update, quietly(err)
}

// PurgeNode removes a node; its allocations are lost. No event tells of it (facts/nomad.md §1).
func (s *Server) PurgeNode(nodeID string) (NodeUpdate, error) {
	index, err := s.write(func(tx *state.Txn) error {
		if state.Nodes.Get(tx, nodeID) == nil {
			return ErrNodeNotFound
		}
		state.Nodes.Delete(tx, nodeID)
		s.evaluateOn(tx, nodeID)
		return nil
	})
	if err == nil {
		s.forget(nodeID)
	}
	return NodeUpdate{Index: index, NodeModifyIndex: index, EvalCreateIndex: index}, err
}

// EvaluateNode has the jobs with allocations on the node evaluated.
func (s *Server) EvaluateNode(nodeID string) (NodeUpdate, error) {
	snapshot := s.store.Read()
	n := state.Nodes.Get(snapshot, nodeID)
	if n == nil {
		return NodeUpdate{}, ErrNodeNotFound
	}
	s.evaluateOn(snapshot, nodeID)
	return NodeUpdate{Index: n.ModifyIndex, NodeModifyIndex: n.ModifyIndex}, nil
}

const keptEvents = 10

func nodeEvent(subsystem, message string, now time.Time) *api.NodeEvent {
	return &api.NodeEvent{Subsystem: subsystem, Message: message, Timestamp: now.UTC().Truncate(time.Second)}
}

func appendEvent(events []*api.NodeEvent, e *api.NodeEvent, index uint64) []*api.NodeEvent {
	e.CreateIndex = index
	events = append(slices.Clone(events), e)
	return events[max(0, len(events)-keptEvents):]
}
