package nomadtarget

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// A dryRunner is a policy that is a dry run for a pool.
type dryRunner struct {
	pool   types.NamespacedName
	policy string
}

// emittedDryRun is what the last Event of a dry run was to say, when, and if that has failed.
type emittedDryRun struct {
	count  int64
	at     time.Time
	failed bool
}

// eventRetry is how long after a failure an Event is tried again, though there is nothing new to say: the right to
// make Events may have come later than the policy.
const eventRetry = 10 * time.Minute

// dryRun reports if an Event is to be emitted of a dry run, because the count has changed or because the Event before
// has failed some time ago, and records that it is.
func (j *journal) dryRun(pool types.NamespacedName, policy string, count int64, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := dryRunner{pool, policy}
	last, ok := j.dryRuns[key]
	again := last.failed && now.Sub(last.at) >= eventRetry
	if ok && last.count == count && !again {
		return false
	}
	if j.dryRuns == nil {
		j.dryRuns = map[dryRunner]emittedDryRun{}
	}
	j.dryRuns[key] = emittedDryRun{count: count, at: now}
	return true
}

// dryRunFailed records that the Event with a count wasn't made.
func (j *journal) dryRunFailed(pool types.NamespacedName, policy string, count int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if last := j.dryRuns[dryRunner{pool, policy}]; last.count == count {
		last.failed = true
		j.dryRuns[dryRunner{pool, policy}] = last
	}
}
