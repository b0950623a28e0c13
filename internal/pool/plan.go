package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Plan is what to do with a pool.
type Plan struct {
	// Create is how many members to make.
	Create int
	// CancelDrains are members whose drain is to be canceled.
	CancelDrains []string
	// Victims are members that are to leave because there are more than replicas. The drain of these, and of those in the
	// next three fields, is to be requested.
	Victims []string
	// Outdated are members that are to leave because others of the present template, or younger ones, take their place.
	Outdated []string
	// Failed are members that are to leave because they didn't join in time.
	Failed []string
	// Unhealthy are members that are to leave because they no longer work.
	Unhealthy []string
	// Replace are members without a VM that are to be deleted, for others to be made in their place.
	Replace []string
	// ScaleOutBlocked is why fewer members are made than replicas ask for; nil: nothing blocks them. Without a cause the
	// rest is made by itself in bounded time.
	ScaleOutBlocked *nodestate.Blocked
	// ScaleInBlocked is why fewer members leave than replicas ask for; nil: nothing blocks them.
	ScaleInBlocked *condition.Problem
	// RolloutBlocked and RepairBlocked are why no outdated, or no failed or unhealthy member leaves; nil: nothing blocks
	// them.
	RolloutBlocked, RepairBlocked *condition.Problem
	// Wake is after how long to plan again at the latest; 0: only when something changes.
	Wake time.Duration
}

// Outcome is what came of a plan.
type Outcome struct {
	// CreateError is how the attempt to make a member failed; nil: it didn't.
	CreateError *nodestate.Blocked
	// NextOrdinal numbers the next member after those that were made; 0: none was.
	NextOrdinal int64
}

// Acts reports whether the plan changes anything.
func (p Plan) Acts() bool {
	return p.Create > 0 || len(p.Replace) > 0 || p.Chooses()
}

// Chooses is true if the plan has members leave or stay, which are chosen by what Nomad knows of them.
func (p Plan) Chooses() bool { return len(p.CancelDrains) > 0 || p.departures() > 0 }

// WithoutChoices is the plan without these.
func (p Plan) WithoutChoices() Plan {
	p.CancelDrains, p.Victims, p.Outdated, p.Failed, p.Unhealthy = nil, nil, nil, nil, nil
	return p
}

// departures returns of how many members the plan requests the drain.
func (p Plan) departures() int {
	return len(p.Victims) + len(p.Outdated) + len(p.Failed) + len(p.Unhealthy)
}

// wakeIn has the pool planned again after d at the latest; d <= 0 changes nothing.
func (p *Plan) wakeIn(d time.Duration) {
	p.Wake = nodestate.Sooner(p.Wake, d)
}

// Decide plans a pool's next step. Leaving members don't count: a drain may take a quarter of an hour, while capacity
// is asked for now.
func Decide(s Snapshot) Plan {
	p := decide(newIndex(s))
	if !s.NomadKnown {
		p.wakeIn(problemRetry)
	}
	return p
}

func decide(x *index) Plan {
	if x.Deleting {
		return Plan{}
	}
	var p Plan
	switch {
	case x.surplus > 0:
		p = scaleIn(x)
	case x.missing > 0:
		p = scaleOut(x)
	}
	p.wakeIn(x.nextExpiring)
	// A scale-in may be blocked for long, while members go on to break.
	replace(x, &p)
	repair(x, &p)
	if x.surplus > 0 {
		p.RolloutBlocked = blockedByScaleIn(x, p)
		return p
	}
	rollOut(x, &p)
	return p
}
