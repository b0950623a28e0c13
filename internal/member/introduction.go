package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const (
	// leastIntroductionTTL is the longest that a server allows by default (Nomad: client_introduction.max_identity_ttl).
	// Guests that wait for a host or a quota before they boot have that time at least. A VM that boots later can't join
	// under strict introduction.
	leastIntroductionTTL = 30 * time.Minute
	// introductionUse is how old a token may be when it is put into a new VM. The VM has the rest of its time to boot. The
	// Secret may be much older than the VM, which waits for a quota or for an image.
	introductionUse = 20 * time.Minute
	// introductionMargin is for what a controller and a server's clock may be late.
	introductionMargin = time.Minute
)

// IntroductionTTL is for how long a guest's introduction token is to be valid: until its time to join is over, even if
// its VM is made as late as it may be. Servers may shorten it. It is taken out of the Secret as soon as the guest has
// joined.
func IntroductionTTL(joinTimeout time.Duration) time.Duration {
	return max(leastIntroductionTTL, introductionUse+schedulingTimeout+joinTimeout+introductionMargin)
}

// IntroductionStaleAt is when a token that was made at a time must be renewed.
func IntroductionStaleAt(made time.Time) time.Time { return made.Add(introductionUse) }

// tokenStale is true if that time has come.
func tokenStale(o nodestate.State) bool {
	return !o.IntroductionStaleAt.IsZero() && !o.Now.Before(o.IntroductionStaleAt)
}

// WaitsToBoot is true for a member whose VM is there and whose guest can't boot yet, for lack of capacity or because
// somebody has halted the VM. When it boots, it reads its introduction token, which must be valid then.
func WaitsToBoot(o nodestate.State) bool {
	_, lacks := lacksCapacity(o)
	return NeedsSecret(o) && (lacks || o.VM.Halted)
}

// introductionStale is true for such a member if its introduction token must be renewed.
func introductionStale(o nodestate.State) bool {
	return WaitsToBoot(o) && tokenStale(o)
}

// untilIntroductionStale is how long until that is so; 0: it isn't waited for.
func untilIntroductionStale(o nodestate.State) time.Duration {
	if !WaitsToBoot(o) || o.IntroductionStaleAt.IsZero() {
		return 0
	}
	return max(o.IntroductionStaleAt.Sub(o.Now), 0)
}
