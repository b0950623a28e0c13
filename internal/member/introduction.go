package member

import "time"

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

// IntroductionStale reports if a token that was made so long ago may expire before a guest made now has joined.
func IntroductionStale(age time.Duration) bool { return age > introductionUse }
