package member

import "github.com/nomad-harvester/nomad-harvester/internal/nodestate"

// changedMind is true when Nomad was told something else with our drain than is wanted now. It must be told again: a
// drain without a deadline leaves its tasks to be killed with the VM instead of being stopped, and one with a
// deadline stops what is to be retained. To retain moves Nomad's deadline later, which nothing else may do: here a
// user asks for it. System jobs that were ignored keep running when the drain is complete, so that even then it must
// be told not to ignore them any more.
func changedMind(o nodestate.State) bool {
	n, ignore := o.Nomad, o.Node.Policy.IgnoreSystemJobs
	switch {
	case n.DrainID != o.Node.Drain.ID || n.DrainOnTimeout == "":
		return false
	case n.Draining:
		return n.DrainOnTimeout != o.Node.DrainOnTimeout() || n.DrainIgnoreSystemJobs != ignore
	default:
		return n.DrainCompleted && n.DrainIgnoreSystemJobs && !ignore
	}
}
