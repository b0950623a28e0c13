package pool

import (
	"sort"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// problemRetry is how long to wait before things without a watch are looked for again.
const problemRetry = 15 * time.Second

// scaleOut rescues members that are on their way out, and makes the rest. Making is possible without Nomad, rescuing
// isn't.
func scaleOut(s Snapshot, missing int) Plan {
	if s.Paused {
		return Plan{HoldOut: &Problem{v1alpha1.ReasonPaused, "spec.paused holds the pool: no member is made."}}
	}
	var p Plan
	if s.NomadKnown {
		p.Rescue = rescuable(s, missing)
	}
	missing -= len(p.Rescue)
	switch {
	case missing == 0:
	case len(s.Problems) > 0:
		p.HoldOut = &Problem{s.Problems[0].Reason, joinMessages(s.Problems)}
		p.Wake = problemRetry
	default:
		p.Create, p.HoldOut = slowStart(s, missing)
	}
	return p
}

// rescuable are the members to call back: the youngest drain first, because it has moved the least.
func rescuable(s Snapshot, limit int) []string {
	var c []Member
	for _, m := range s.Members {
		if m.Leaving && m.Rescuable {
			c = append(c, m)
		}
	}
	sort.Slice(c, func(i, j int) bool {
		if !c[i].LeavingSince.Equal(c[j].LeavingSince) {
			return c[i].LeavingSince.After(c[j].LeavingSince)
		}
		return c[i].Name < c[j].Name
	})
	if len(c) > limit {
		c = c[:limit]
	}
	return names(c)
}

func names(ms []Member) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Name)
	}
	return out
}

func joinMessages(ps []Problem) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Message)
	}
	return strings.Join(out, " | ")
}
