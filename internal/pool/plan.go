package pool

import (
	"time"
)

// Plan is what to do with a pool.
type Plan struct {
	// Create is how many members to make.
	Create int
	// Rescue are members whose order to leave is to be taken back.
	Rescue []string
	// Victims are members that are to leave.
	Victims []string
	// Replace are members without a VM that are to be deleted, for others to be made in their place.
	Replace []string
	// HoldOut and HoldIn say why less is done than replicas ask for; nil: nothing is held.
	HoldOut, HoldIn *Problem
	// Wake is when to look again at the latest; 0: only when something changes.
	Wake time.Duration
}

// Acts is true when the plan changes anything.
func (p Plan) Acts() bool {
	return p.Create > 0 || len(p.Rescue) > 0 || len(p.Victims) > 0 || len(p.Replace) > 0
}

// Decide plans a pool's next step. Leaving members don't count: draining may take a quarter of an hour, while capacity
// is asked for now.
func Decide(s Snapshot) Plan {
	p := decide(s)
	if !s.NomadKnown && (p.Wake == 0 || p.Wake > problemRetry) {
		p.Wake = problemRetry
	}
	return p
}

func decide(s Snapshot) Plan {
	if s.Deleting {
		return Plan{}
	}
	diff := s.Replicas - len(s.active())
	if diff < 0 {
		return scaleIn(s, -diff)
	}
	var p Plan
	if diff > 0 {
		p = scaleOut(s, diff)
	}
	p.Replace = obsolete(s)
	return p
}
