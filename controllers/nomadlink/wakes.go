package nomadlink

import (
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// How often a connection wakes those that use it. The first changes wake at once. A server that changes all the time
// would take the workers of all others; its changes are seen together, a little later.
const (
	// healthWakesEvery and healthWakesBurst are for changes of the health, each of which wakes all users.
	healthWakesEvery, healthWakesBurst = 10 * time.Second, 5
	// userWakesEvery is for a single user, and sharePerUser for all users of a connection together: 50 a second.
	userWakesEvery, userWakesBurst = time.Second, 5
	sharePerUser                   = 20 * time.Millisecond
)

func newHealthWakes() *rate.Limiter {
	return rate.NewLimiter(rate.Every(healthWakesEvery), healthWakesBurst)
}

func newUserWakes() *rate.Limiter { return rate.NewLimiter(rate.Every(userWakesEvery), userWakesBurst) }

// wake is who is to be woken, and after how long.
type wake struct {
	user
	leaves bool
	after  time.Duration
}

// wakes are who is to be woken by a change of a cluster: of these nodes, or of its health if there are none.
func (u *uses) wakes(cluster nomad.Cluster, nodeIDs []string, now time.Time) []wake {
	u.mu.Lock()
	defer u.mu.Unlock()
	by := u.at[cluster]
	if by == nil {
		return nil // nobody uses it any more
	}
	if nodeIDs == nil {
		return by.all(now)
	}
	var out []wake
	for _, id := range nodeIDs {
		if is, ok := by.members[id]; ok {
			e := by.users[is]
			out = append(out, wake{is, e.leaves, by.pause(e, now)})
		}
	}
	return out
}

// all are all users, and the pools of the members: a pool may have been led to another cluster since.
func (by *usedBy) all(now time.Time) []wake {
	after := pause(by.health, now)
	out, pools := make([]wake, 0, len(by.users)), map[user]bool{}
	for is, e := range by.users {
		mine := after
		if after == 0 {
			mine = by.pause(e, now)
		}
		out = append(out, wake{is, e.leaves, mine})
		pool := user{name: types.NamespacedName{Namespace: is.name.Namespace, Name: e.pool}}
		if is.member && by.users[pool] == nil && !pools[pool] {
			pools[pool] = true
			out = append(out, wake{user: pool, after: mine})
		}
	}
	return out
}

// pause is how long a user waits.
func (by *usedBy) pause(e *use, now time.Time) time.Duration {
	every := max(userWakesEvery, time.Duration(len(by.users))*sharePerUser)
	if limit := rate.Every(every); e.wakes.Limit() != limit {
		e.wakes.SetLimitAt(now, limit)
	}
	return pause(e.wakes, now)
}

// pause is 0 if the limit allows a wake now, or else how long until it does. The later one isn't counted again: the
// queue makes one of all that come until then.
func pause(l *rate.Limiter, now time.Time) time.Duration {
	r := l.ReserveN(now, 1)
	after := r.DelayFrom(now)
	if after > 0 {
		r.CancelAt(now)
	}
	return after
}
