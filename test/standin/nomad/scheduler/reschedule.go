package scheduler

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// failed decides on an allocation that failed: it is replaced when its group's reschedule policy says so. Until then
// it counts, and where the policy has no attempts left it counts for ever.
func (p *planner) failed(group *api.TaskGroup, a *api.Allocation) fate {
	if a.NextAllocation != "" || migrates(a) {
		return fateForget
	}
	if !p.sameRun(a) {
		return fateForget
	}
	policy := group.ReschedulePolicy
	if policy == nil || !state.Value(policy.Unlimited) && p.attempts(policy, a) >= state.Value(policy.Attempts) {
		return fateKeep
	}
	due := endOf(a).Add(delay(policy, a))
	if due.After(p.Now) {
		if p.plan.Wake.IsZero() || due.Before(p.plan.Wake) {
			p.plan.Wake = due
		}
		return fateKeep
	}
	p.stop(a, Rescheduled)
	return fateReplace
}

// attempts are those within the policy's interval.
func (p *planner) attempts(policy *api.ReschedulePolicy, a *api.Allocation) int {
	n := 0
	for _, e := range eventsOf(a) {
		if p.Now.Sub(time.Unix(0, e.RescheduleTime)) <= state.Value(policy.Interval) {
			n++
		}
	}
	return n
}

func eventsOf(a *api.Allocation) []*api.RescheduleEvent {
	if a.RescheduleTracker == nil {
		return nil
	}
	return a.RescheduleTracker.Events
}

// delay grows with each attempt as the policy says.
func delay(policy *api.ReschedulePolicy, a *api.Allocation) time.Duration {
	d, former := state.Value(policy.Delay), time.Duration(0)
	for range eventsOf(a) {
		switch state.Value(policy.DelayFunction) {
		case "exponential":
			d *= 2
		case "fibonacci":
			d, former = d+former, d
		}
		if most := state.Value(policy.MaxDelay); most > 0 {
			d = min(d, most)
		}
	}
	return d
}

// endOf is when the last task ended.
func endOf(a *api.Allocation) time.Time {
	end := time.Time{}
	for _, task := range a.TaskStates {
		if task.FinishedAt.After(end) {
			end = task.FinishedAt
		}
	}
	if end.IsZero() {
		return time.Unix(0, a.ModifyTime)
	}
	return end
}
