package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// problemRetry is how long to wait before things without a watch are looked for again.
const problemRetry = 15 * time.Second

// scaleOut rescues members that are on their way out, and makes the rest. Making is possible without Nomad, rescuing
// isn't.
func scaleOut(x *index) Plan {
	if x.Paused {
		return Plan{
			HoldOut: held(v1alpha1.BlockedByPause, v1alpha1.ReasonPaused, "spec.paused holds the pool: no member is made.")}
	}
	p := Plan{CancelDrains: names(x.reclaimed)}
	switch {
	case x.wanted == 0:
	case len(x.Problems) > 0:
		p.HoldOut = held(v1alpha1.BlockedByTemplate, x.Problems[0].Reason, joinMessages(x.Problems))
		p.Wake = problemRetry
	default:
		room, full := fit(x, x.wanted)
		p.Create, p.HoldOut = slowStart(x, room)
		probe(x, &p)
		if full != nil {
			p.wakeIn(problemRetry)
			if p.HoldOut == nil {
				p.HoldOut = &nodestate.Blocked{By: v1alpha1.BlockedByQuota, Problem: *full}
			}
		}
	}
	return p
}

// held is why fewer members are made than are missing. Without a cause the rest is made by itself in bounded time.
func held(by v1alpha1.BlockedCause, reason, message string) *nodestate.Blocked {
	return &nodestate.Blocked{By: by, Problem: condition.Problem{reason, message}}
}

// reclaim chooses up to limit members to call back: those that are up to date first, and of these the youngest drain
// first, because it has moved the least. One that is outdated is called back only if it was there to be had before a
// rollout wanted it gone, and only to fill up to replicas.
func reclaim(x *index, limit int) []*Member {
	current := x.reclaimable[:min(limit, len(x.reclaimable))]
	short := max(x.Replicas-len(x.active)-len(current), 0)
	return slices.Concat(current, x.reclaimableOld[:min(short, len(x.reclaimableOld))])
}

func joinMessages(ps []condition.Problem) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Message)
	}
	return strings.Join(out, " | ")
}
