package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// readyInterval is how often a starting service is asked whether it is ready.
const readyInterval = 50 * time.Millisecond

// errNotRunning is returned when a service that was never started is stopped, killed or paused.
var errNotRunning = errors.New("not running")

// Service is a program that can be started again with the same Spec after it was stopped or killed.
type Service struct {
	// Spec is used for every start.
	Spec Spec
	// Prepare runs before every start, to clear what an earlier life left behind; nil means nothing to do.
	Prepare func(context.Context) error
	// Ready tells whether the service serves; nil means it does as soon as it was started.
	Ready func(context.Context) error
	// Grace is how long Stop waits before it kills; zero means ten seconds.
	Grace time.Duration

	mu      sync.Mutex
	current *Process
}

// Start starts the program and waits until it is ready. On failure nothing keeps running.
func (s *Service) Start(ctx context.Context) error {
	if s.Prepare != nil {
		if err := s.Prepare(ctx); err != nil {
			return fmt.Errorf("prepare %s: %w", s.Spec.Name, err)
		}
	}
	p, err := Start(ctx, s.Spec)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.current = p
	s.mu.Unlock()
	if s.Ready == nil {
		return nil
	}
	if err := p.WaitReady(ctx, readyInterval, s.Ready); err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

// Process returns the present life of the service, nil before the first start.
func (s *Service) Process() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Running reports whether the service was started and has not ended.
func (s *Service) Running() bool {
	p := s.Process()
	if p == nil {
		return false
	}
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// Stop ends the service in an orderly way and waits for its end; one that never ran is stopped already.
func (s *Service) Stop() error {
	p := s.Process()
	if p == nil {
		return nil
	}
	grace := s.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	return p.Stop(grace)
}

// Kill ends the service as a crash would.
func (s *Service) Kill() error { return s.with((*Process).Kill) }

// Pause makes the service hang with its sockets open, until Resume.
func (s *Service) Pause() error { return s.with((*Process).Pause) }

// Resume continues a paused service.
func (s *Service) Resume() error { return s.with((*Process).Resume) }

// Restart stops the service if it still runs, starts it again and waits until it is ready.
func (s *Service) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start(ctx)
}

func (s *Service) with(act func(*Process) error) error {
	p := s.Process()
	if p == nil {
		return fmt.Errorf("%s: %w", s.Spec.Name, errNotRunning)
	}
	return act(p)
}
