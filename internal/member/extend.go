package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// leastDrainTime is how much of its time a drain must still have when it is sent first. Of a drain that has less in all
// it is half of that, so that what comes before each drain, such as the cordon, doesn't count as a delay.
const leastDrainTime = 2 * time.Minute

// sendFirst has the drain sent, and gives it a new deadline before that if it is late.
func sendFirst(o nodestate.State) Decision {
	if Overdue(o) {
		return Decision{Step: ExtendDrain}
	}
	return Decision{Step: Drain}
}

// Overdue is true for a drain request for which nothing was sent to Nomad until its time was nearly over, because Nomad
// or the controller was away, or the NomadNode was restored from a backup. Sent now, the drain would stop allocations
// that never had time to move. The time for which they have drained for somebody else counts.
func Overdue(o nodestate.State) bool {
	if o.Nomad.DrainID == o.Node.Drain.ID {
		return false
	}
	left := o.Node.Drain.DeadlineTime.Sub(o.Now)
	if o.Nomad.Draining && !o.Nomad.DrainStarted.IsZero() {
		left += max(o.Now.Sub(o.Nomad.DrainStarted), 0)
	}
	return tooLittle(left, o.Node)
}

// OnlyByOthers is true for a drain request that is overdue but for somebody else's drain, which may have been canceled
// since it was seen.
func OnlyByOthers(o nodestate.State) bool {
	without := o
	without.Nomad.Draining = false
	return !Overdue(o) && Overdue(without)
}

// hadNoTime is true for a drain request whose time was nearly over when Nomad could be asked again, or by this process
// for the first time. It is for members to which no drain can be sent, and that nevertheless get the time of one: their
// node isn't known, or isn't theirs, and nothing in Nomad shows when that time began. A guest whose node Nomad has
// forgotten registers again, and its drain is sent then; one that works under another ID ends its work.
func hadNoTime(o nodestate.State) bool {
	return tooLittle(o.Node.Drain.DeadlineTime.Sub(o.NomadRecovered), o.Node)
}

// tooLittle is true if that is less than what must be left of a drain's time when it begins.
func tooLittle(left time.Duration, r nodestate.Node) bool {
	whole := drainTime(r)
	return whole > 0 && left < min(leastDrainTime, whole/2)
}

// drainTime is how long the allocations of a drain request get: what they were given when it was made, unless the
// policy gives less by now. It is nothing if the guest stops anyway, because somebody has deleted the VM, or if a
// person has set the deadline to the time of the request to have the drain end at once.
func drainTime(r nodestate.Node) time.Duration {
	if r.Drain.Reason == v1alpha1.DrainVMDeleted {
		return 0
	}
	return min(r.Drain.DeadlineTime.Sub(r.Drain.RequestTime.Time), r.Policy.Deadline.Duration)
}

// NewDeadline is the deadline of a drain that is sent late. The API server keeps whole seconds.
func NewDeadline(o nodestate.State) time.Time {
	return o.Now.Add(drainTime(o.Node)).Truncate(time.Second).Add(time.Second)
}
