package nomad

import (
	"slices"
	"sync"
	"time"
)

// claimFor is for how long a turn is kept free for a server that was refused one. It is told to come back sooner.
const claimFor = 3 * time.Second

// fairTurns are turns that servers share, by their addresses. Those that were refused one have the next that are free,
// in their order, and who had one is behind them. Otherwise a few servers whose calls last as long as they may, and
// that come back at once, would have all turns again and again. Nobody waits here: that would hold workers.
type fairTurns struct {
	mu   sync.Mutex
	free int
	// claims are those of the servers that were refused.
	claims []claim
}

type claim struct {
	address string
	until   time.Time
}

// take returns whether the server has a turn now.
func (f *fairTurns) take(address string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claims = slices.DeleteFunc(f.claims, func(c claim) bool { return !now.Before(c.until) })
	at := slices.IndexFunc(f.claims, func(c claim) bool { return c.address == address })
	if at < 0 {
		at = len(f.claims)
		f.claims = append(f.claims, claim{address: address})
	}
	if at < f.free {
		f.free--
		f.claims = slices.Delete(f.claims, at, at+1)
		return true
	}
	f.claims[at].until = now.Add(claimFor)
	return false
}

func (f *fairTurns) giveBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free++
}
