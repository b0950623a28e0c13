package member

import "github.com/nomad-harvester/nomad-harvester/api/v1alpha1"

// DrainOnTimeout is what the drain of a member with an intent tells Nomad to do at the intent's deadline: Force, by giving
// it the deadline, or Retain, by giving none. The guest of a VM that somebody has deleted stops anyway, so that there is
// nothing to retain.
func (r Record) DrainOnTimeout() v1alpha1.DrainTimeoutAction {
	if r.Policy.OnTimeout == v1alpha1.DrainRetain && r.Drain.Reason != v1alpha1.DrainVMDeleted {
		return v1alpha1.DrainRetain
	}
	return v1alpha1.DrainForce
}

// changedMind is true when Nomad was told something else with our drain than is wanted now. It must be told again: a drain
// without a deadline leaves its tasks to be killed with the VM instead of being stopped, and one with a deadline stops what is
// to be retained. To retain moves Nomad's deadline later, which nothing else may do: here a user asks for it. System jobs that
// were ignored keep running when the drain is complete, so that even then it must be told not to ignore them any more.
func changedMind(o Observed) bool {
	n, ignore := o.Nomad, o.Record.Policy.IgnoreSystemJobs
	switch {
	case n.DrainIntent != o.Record.Drain.ID || n.DrainOnTimeout == "":
		return false
	case n.Draining:
		return n.DrainOnTimeout != o.Record.DrainOnTimeout() || n.DrainIgnoreSystemJobs != ignore
	default:
		return n.DrainCompleted && n.DrainIgnoreSystemJobs && !ignore
	}
}
