package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// tailLines is how much of a log goes into an error message.
const tailLines = 25

// WaitFor calls check at once and then at the given interval until it returns nil. When the context ends,
// the error names what was waited for, wraps the context's error, and tells the last error of check.
func WaitFor(ctx context.Context, every time.Duration, what string, check func(context.Context) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // "context deadline exceeded" says less than the error before it
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (last: %w)", what, context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}

// errEnded marks the end of a process that was expected to run.
var errEnded = errors.New("process ended")

// WaitReady is WaitFor for a started process: it gives up when the process ends, and its error carries
// the end of the log.
func (p *Process) WaitReady(ctx context.Context, every time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.done:
			cancel(fmt.Errorf("%w: %w", errEnded, exitError(p.err)))
		case <-ctx.Done():
		}
	}()
	err := WaitFor(ctx, every, p.spec.Name, check)
	if err != nil {
		return fmt.Errorf("%w\n--- %s, end of %s:\n%s", err, p.spec.Name, p.spec.LogFile, p.Tail(tailLines))
	}
	return nil
}

func exitError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}
