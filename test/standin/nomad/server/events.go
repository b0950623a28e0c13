package server

import (
	"context"
)

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
type Broker struct{ size int }

// NewBroker makes a broker that keeps so many changes.
func NewBroker(size int) *Broker { return &Broker{size: size} }

// Subscription reads from a broker.
type Subscription struct{}

// Subscribe begins after that index, or with what is kept if that is younger; 0 takes all that is kept.
func (b *Broker) Subscribe(index uint64) *Subscription { return nil }

// Next waits for the next events. ErrDropped says that the reader was too slow.
func (s *Subscription) Next(ctx context.Context) (Events, error) { return Events{}, ctx.Err() }
