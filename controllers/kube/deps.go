package kube

import (
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Deps is what every controller needs: clients, a clock, and so on.
type Deps struct {
	// Client reads from the cache and writes; Live reads from the API server.
	Client   client.Client
	Live     client.Reader
	Clock    clock.PassiveClock
	Recorder events.EventRecorder
	// NewID makes lower-case UUIDs, never the same twice.
	NewID func() string
}

// parallel is how many requests one reconcile has under way at most.
const parallel = 16

// InParallel calls a function for each number below n, several at a time, and returns one of their errors, if any.
func InParallel(n int, do func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(parallel)
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}
