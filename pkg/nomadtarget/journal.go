package nomadtarget

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// A journal remembers what was last logged of each pool, so that a line is logged when something changes and not every
// evaluation_interval. The zero value is ready for use.
type journal struct {
	mu      sync.Mutex
	reasons map[types.NamespacedName]string
	counts  map[types.NamespacedName]int64
	remarks map[types.NamespacedName]map[string]bool
	scalers map[types.NamespacedName]scaler
	dryRuns map[dryRunner]emittedDryRun
}

// A scaler is the policy that scaled a pool last, and when.
type scaler struct {
	policy string
	at     time.Time
}

// rivalWindow is how soon after each other two policies must scale a pool to be rivals. Policies that take turns by
// their schedules, hours apart, aren't. Neither are the same policies after a reload of the agent, which gives them new
// IDs.
const rivalWindow = 15 * time.Minute

// scaledBy records which policy scaled a pool, and returns another policy that did so within rivalWindow before; empty:
// none did.
func (j *journal) scaledBy(pool types.NamespacedName, policy string, now time.Time) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.scalers[pool]
	if j.scalers == nil {
		j.scalers = map[types.NamespacedName]scaler{}
	}
	j.scalers[pool] = scaler{policy: policy, at: now}
	if policy == "" || last.policy == policy || now.Sub(last.at) > rivalWindow {
		return ""
	}
	return last.policy
}

// changed records the reason of a pool's verdict and reports if it has changed.
func (j *journal) changed(pool types.NamespacedName, reason string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reasons[pool] == reason {
		return false
	}
	if j.reasons == nil {
		j.reasons = map[types.NamespacedName]string{}
	}
	j.reasons[pool] = reason
	return true
}

// counted records the replicas that were last read of a pool.
func (j *journal) counted(pool types.NamespacedName, replicas int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.counts == nil {
		j.counts = map[types.NamespacedName]int64{}
	}
	j.counts[pool] = replicas
}

// lastCount is the number of replicas last read of a pool; 0 when it was never read.
func (j *journal) lastCount(pool types.NamespacedName) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[pool]
}

// firstTime reports if a remark is made on a pool for the first time.
func (j *journal) firstTime(pool types.NamespacedName, remark string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.remarks[pool][remark] {
		return false
	}
	if j.remarks == nil {
		j.remarks = map[types.NamespacedName]map[string]bool{}
	}
	if j.remarks[pool] == nil {
		j.remarks[pool] = map[string]bool{}
	}
	j.remarks[pool][remark] = true
	return true
}
