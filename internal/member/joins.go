package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// AwaitsJoin is true for a member whose time to join runs.
func AwaitsJoin(o nodestate.State) bool { return o.Node.VMMade && !o.Node.Joined && !o.Node.Leaving() }

// joinDeadline is when a member should have joined. When its pool judges again whether members join, which it doesn't
// while Nomad can't be asked or Harvester is upgraded, all that time begins anew (internal/pool: Resumed).
func joinDeadline(o nodestate.State) time.Time {
	first := o.Node.JoinDeadline()
	if again := o.Resumed.Add(o.Node.JoinTimeout); AwaitsJoin(o) && again.After(first) {
		return again
	}
	return first
}

// joinExpired is true for a member that should have joined, by what was written last and by what is observed now.
func joinExpired(o nodestate.State) bool {
	_, lacks := lacksCapacity(o)
	return !lacks && !o.Suspended && o.Node.JoinExpired(o.Now) && !o.Now.Before(joinDeadline(o))
}
