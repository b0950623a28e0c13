package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how often a process that waits for another one's build looks again.
const lockPoll = 200 * time.Millisecond

// lock waits until no other process builds into this cache. There is one lock
// for all tools on purpose: a Go build uses every core by itself. The kernel
// drops the lock with the process that holds it, however that ends.
//
// Whoever waits holds the turn meanwhile, so that a process which has just built
// one tool and wants to build the next can't overtake it. Waiting ends early,
// without the lock, once needless says that there is nothing left to build.
func (s *workshop) lock(ctx context.Context, needless func() bool) (unlock func(), err error) {
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return nil, err
	}
	var reported bool
	giveUp := func() bool {
		if !reported {
			fmt.Fprintf(s.progress, "waiting for another process that builds into %s\n", s.cache)
		}
		reported = true
		return needless()
	}
	yield, err := waitForLock(ctx, filepath.Join(s.cache, "turn.lock"), syscall.LOCK_EX, giveUp)
	if err != nil {
		return nil, err
	}
	defer yield()
	return waitForLock(ctx, filepath.Join(s.cache, "build.lock"), syscall.LOCK_EX, giveUp)
}

// waitForLock locks a file, as LOCK_EX or LOCK_SH say. Each time somebody else
// has it, giveUp is asked whether to return without it.
func waitForLock(ctx context.Context, path string, how int, giveUp func() bool) (unlock func(), err error) {
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		unlock, err := tryLock(path, how)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return unlock, err
		}
		if giveUp() {
			return func() {}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-poll.C:
		}
	}
}

// tryLock locks a file, or returns EWOULDBLOCK if somebody else has it.
func tryLock(path string, how int) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}
