package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// unhealthyTime is since when a member that had joined has been down, disconnected or gone in Nomad. What can't be
// told isn't counted, and patience begins anew when it can be told again; but a controller that has merely been
// restarted, and has not asked Nomad yet, doesn't begin anew. Nor does it count while somebody keeps the VM halted,
// or there is no room for it: once there is, the guest has to boot first.
func unhealthyTime(o nodestate.State) time.Time {
	was := o.Node.UnhealthyTime
	_, lacks := lacksRoom(o)
	switch {
	case !o.Node.Joined, o.Node.Leaving(), o.VM.Ours && o.VM.Halted, lacks:
		return time.Time{}
	case o.Nomad.NotAsked:
		return was
	case !o.Nomad.Known, o.Nomad.Registered && o.Nomad.Status == "ready":
		return time.Time{}
	case was.IsZero():
		return o.Now.Truncate(time.Second)
	default:
		return was
	}
}
