package server

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// ErrDropped tells a slow reader that events were dropped (facts/nomad.md §1).
var ErrDropped = errors.New("subscription closed by server, client should resubscribe: event dropped")

// Event is one of the event stream.
type Event struct {
	Topic, Type, Key, Namespace string
	FilterKeys                  []string
	Index                       uint64
	Payload                     map[string]any
}

// Events are those of one change.
type Events struct {
	Index  uint64
	Events []Event
}

// Broker keeps the last changes for the event stream. It tells nobody of a gap, and knows of no purged node
// (facts/nomad.md §1).
type Broker struct {
	size int

	mu      sync.Mutex
	kept    []Events
	first   uint64 // number of the first that is kept
	changed chan struct{}
}

// NewBroker makes a broker that keeps so many changes.
func NewBroker(size int) *Broker { return &Broker{size: size, changed: make(chan struct{})} }

func (b *Broker) publish(e Events) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, e)
	if over := len(b.kept) - b.size; over > 0 {
		b.kept = append([]Events(nil), b.kept[over:]...)
		b.first += uint64(over)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// Subscription reads from a broker.
type Subscription struct {
	broker *Broker
	next   uint64
}

// Subscribe begins after that index, or with what is kept if that is younger; 0 takes all that is kept.
func (b *Broker) Subscribe(index uint64) *Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Subscription{b, b.first}
	for _, e := range b.kept {
		if index > 0 && e.Index < index {
			s.next++
		}
	}
	return s
}

// Next waits for the next events. ErrDropped says that the reader was too slow.
func (s *Subscription) Next(ctx context.Context) (Events, error) {
	for {
		s.broker.mu.Lock()
		changed := s.broker.changed
		switch at := s.next; {
		case at < s.broker.first:
			s.broker.mu.Unlock()
			return Events{}, ErrDropped
		case at < s.broker.first+uint64(len(s.broker.kept)):
			e := s.broker.kept[at-s.broker.first]
			s.next++
			s.broker.mu.Unlock()
			return e, nil
		}
		s.broker.mu.Unlock()
		select {
		case <-ctx.Done():
			return Events{}, ctx.Err()
		case <-changed:
		}
	}
}

// publish tells the stream of a change.
func (s *Server) publish(index uint64, changed []any) {
	e := Events{Index: index}
	snapshot := s.store.Read()
	for _, object := range changed {
		switch o := object.(type) {
		case *state.Node:
			if state.Nodes.Get(snapshot, o.ID) != nil { // the end of a node is told to nobody
				e.Events = append(e.Events, Event{Topic: "Node", Type: nodeEventType(o, index), Key: o.ID, Index: index,
					Payload: map[string]any{"Node": &o.Node}})
			}
		case *api.Allocation:
			bare := *o
			bare.Job = nil
			e.Events = append(e.Events, Event{
				Topic: "Allocation", Type: "AllocationUpdated", Key: o.ID, Namespace: o.Namespace, Index: index,
				FilterKeys: []string{o.JobID, o.DeploymentID}, Payload: map[string]any{"Allocation": &bare},
			})
		case *api.Evaluation:
			e.Events = append(e.Events, Event{Topic: "Evaluation", Type: "EvaluationUpdated", Key: o.ID, Namespace: o.Namespace,
				FilterKeys: []string{o.JobID}, Index: index, Payload: map[string]any{"Evaluation": o}})
		case *api.Job:
			e.Events = append(e.Events, Event{Topic: "Job", Type: "JobRegistered", Key: state.Value(o.ID),
				Namespace: state.Value(o.Namespace), Index: index, Payload: map[string]any{"Job": o}})
		case *api.NodePool:
			e.Events = append(e.Events, Event{Topic: "NodePool", Type: "NodePoolUpserted", Key: o.Name, Index: index,
				Payload: map[string]any{"NodePool": o}})
		}
	}
	if len(e.Events) > 0 {
		s.Events.publish(e)
	}
}

// nodeEventType tells a registration from a change of status, and both from a drain or a change of eligibility.
func nodeEventType(n *state.Node, index uint64) string {
	switch {
	case n.Transition == index:
		return "NodeStreamEvent"
	case len(n.Events) > 0 && n.Events[len(n.Events)-1].CreateIndex == index &&
		n.Events[len(n.Events)-1].Message != "Node registered":
		return "NodeDrain"
	default:
		return "NodeRegistration"
	}
}
