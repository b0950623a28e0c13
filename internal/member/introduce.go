package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// WaitsToBoot is true for a member whose VM is there and whose guest can't boot yet, for lack of capacity or because
// somebody has halted the VM. When it boots, it reads its introduction token, which must be valid then.
func WaitsToBoot(o nodestate.State) bool {
	_, lacks := lacksCapacity(o)
	return !o.Node.Joined && !o.Node.Leaving() && o.VM.Owned && !o.VM.Deleting && !o.Instance.Running &&
		(lacks || o.VM.Halted)
}

// introductionStale is true for such a member if its introduction token must be renewed.
func introductionStale(o nodestate.State) bool {
	return WaitsToBoot(o) && !o.IntroductionStaleAt.IsZero() && !o.Now.Before(o.IntroductionStaleAt)
}

// untilIntroductionStale is how long until that is so; 0: it isn't waited for.
func untilIntroductionStale(o nodestate.State) time.Duration {
	if !WaitsToBoot(o) || o.IntroductionStaleAt.IsZero() {
		return 0
	}
	return max(o.IntroductionStaleAt.Sub(o.Now), 0)
}
