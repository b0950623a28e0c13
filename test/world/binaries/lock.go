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
	var told bool
	giveUp := func() bool {
		if !told {
			fmt.Fprintf(s.progress, "waiting for another process that builds into %s\n", s.cache)
		}
		told = true
		return needless()
	}
	yield, err := waitForLock(ctx, filepath.Join(s.cache, "turn.lock"), giveUp)
	if err != nil {
		return nil, err
	}
	defer yield()
	return waitForLock(ctx, filepath.Join(s.cache, "build.lock"), giveUp)
}

// waitForLock locks a file. Each time somebody else has it, giveUp is asked
// whether to return without it.
func waitForLock(ctx context.Context, path string, giveUp func() bool) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = file.Close() }
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return unlock, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			unlock()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if giveUp() {
			return unlock, nil // merely closes the file
		}
		select {
		case <-ctx.Done():
			unlock()
			return nil, ctx.Err()
		case <-poll.C:
		}
	}
}
