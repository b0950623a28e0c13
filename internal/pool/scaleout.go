package pool

import (
	"sort"
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
func scaleOut(s Snapshot, missing int) Plan {
	if s.Paused {
		return Plan{
			HoldOut: held(v1alpha1.BlockedByPause, v1alpha1.ReasonPaused, "spec.paused holds the pool: no member is made.")}
	}
	var p Plan
	if s.NomadKnown {
		p.CancelDrains = rescuable(s, missing)
	}
	missing -= len(p.CancelDrains)
	switch {
	case missing == 0:
	case len(s.Problems) > 0:
		p.HoldOut = held(v1alpha1.BlockedByTemplate, s.Problems[0].Reason, joinMessages(s.Problems))
		p.Wake = problemRetry
	default:
		room, full := fit(s, missing)
		p.Create, p.HoldOut = slowStart(s, room)
		probe(s, &p)
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

// rescuable are the members to call back: those that are up to date first, and of these the youngest drain first,
// because it has moved the least. One that is outdated is called back only if it was there to be had before a
// rollout wanted it gone, and only to fill up to replicas.
func rescuable(s Snapshot, limit int) []string {
	var current, old []Member
	for _, m := range s.Members {
		switch {
		case !m.Leaving || !m.Rescuable:
		case s.upToDate(m):
			current = append(current, m)
		case m.LeavingReason != v1alpha1.DrainRollout:
			old = append(old, m)
		}
	}
	youngest(current)
	youngest(old)
	current = current[:min(limit, len(current))]
	short := max(s.Replicas-len(s.active())-len(current), 0)
	return append(names(current), names(old[:min(short, len(old))])...)
}

// youngest puts the members that were ordered to leave last first.
func youngest(ms []Member) {
	sort.Slice(ms, func(i, j int) bool {
		if !ms[i].LeavingSince.Equal(ms[j].LeavingSince) {
			return ms[i].LeavingSince.After(ms[j].LeavingSince)
		}
		return ms[i].Name < ms[j].Name
	})
}

func names(ms []Member) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Name)
	}
	return out
}

func joinMessages(ps []condition.Problem) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Message)
	}
	return strings.Join(out, " | ")
}
