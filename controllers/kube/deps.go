package kube

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
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
	// Namespaces are those whose pools are the controller's; empty: all.
	Namespaces []string
}

// CatchPanic calls a function and turns a panic into an error; the log says where it was. In a goroutine of its own
// nobody else would, and the process, which serves all pools, would end.
func CatchPanic(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			log.Log.Error(err, "panic", "stack", string(debug.Stack()))
		}
	}()
	return do()
}

// InParallel calls a function for each number below n, some at a time, and returns one of their errors, if any. After
// an error it begins with no further one. A panic is an error.
func InParallel(n, limit int, do func(i int) error) error {
	var failed atomic.Bool
	var g errgroup.Group
	g.SetLimit(limit)
	for i := range n {
		g.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := CatchPanic(func() error { return do(i) })
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}
