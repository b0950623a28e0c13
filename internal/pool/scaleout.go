package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// problemRetry is how long to wait before things without a watch are observed again.
const problemRetry = 15 * time.Second

// scaleOut reclaims members that are on their way out, and makes the rest. Members can be made without Nomad, but not
// reclaimed.
func scaleOut(x *index) Plan {
	if x.Paused {
		return Plan{ScaleOutBlocked: blockedBy(v1alpha1.BlockedByPause, v1alpha1.ReasonPaused,
			"spec.paused holds the pool: no member is made.")}
	}
	p := Plan{CancelDrains: names(x.reclaimed)}
	switch {
	case x.wanted == 0:
	case len(x.Problems) > 0:
		p.ScaleOutBlocked = blockedBy(v1alpha1.BlockedByTemplate, x.Problems[0].Reason, joinMessages(x.Problems))
		p.Wake = problemRetry
	default:
		fits, quotaFull := fitQuota(x, x.wanted)
		p.Create, p.ScaleOutBlocked = slowStart(x, fits)
		backOffAfterFailure(x, &p)
		if quotaFull != nil {
			p.wakeIn(problemRetry)
			if p.ScaleOutBlocked == nil {
				p.ScaleOutBlocked = &nodestate.Blocked{By: v1alpha1.BlockedByQuota, Problem: *quotaFull}
			}
		}
	}
	return p
}

// reclaim chooses up to limit members whose drain to cancel: those that are up to date first, and of these the youngest
// drain first, because it has moved the least. An outdated member is reclaimed only if it didn't leave for a rollout,
// and only to fill up to replicas.
func reclaim(x *index, limit int) []*Member {
	current := x.reclaimable[:min(limit, len(x.reclaimable))]
	missing := max(x.Replicas-len(x.active)-len(current), 0)
	return slices.Concat(current, x.reclaimableOld[:min(missing, len(x.reclaimableOld))])
}

func joinMessages(ps []condition.Problem) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Message)
	}
	return strings.Join(out, " | ")
}
