package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// removePoll is how soon things without a watch are checked again at first, while a member is removed.
const removePoll = time.Second

// pollInstance is how soon to check again if the VM's instance has gone: less often once it is stuck.
func pollInstance(o nodestate.State) time.Duration {
	if instanceStuck(o) {
		return problemRetry
	}
	return removePoll
}

// pollClaims is how soon to check again if claims that are being deleted have gone, which no event tells: the less
// often the longer it takes. Each check asks the API server for several objects, and hundreds of members may wait for
// their disks at the same time.
func pollClaims(o nodestate.State) time.Duration {
	var latest time.Time
	for _, c := range o.Claims {
		if c.DeletingSince.After(latest) {
			latest = c.DeletingSince
		}
	}
	return min(max(o.Now.Sub(latest)/4, removePoll), problemRetry)
}

// Removing is true for a step that removes something from Kubernetes. Admission or missing rights may refuse that.
func (s Step) Removing() bool {
	switch s {
	case ListClaims, DeleteVM, DeleteClaims, DeleteSecret, DeleteNomadNode:
		return true
	default:
		return false
	}
}

// remove takes a drained member away: NomadNode, VM, Nomad node, disks, Secret, and the finalizer last.
func remove(o nodestate.State) Decision {
	d := nextRemoval(o)
	if o.Refused != nil && d.Step.Removing() {
		return Decision{Step: Wait, Wake: problemRetry} // no event tells when it would be accepted
	}
	return d
}

func nextRemoval(o nodestate.State) Decision {
	switch owned := o.VM.Exists && o.VM.Owned; {
	case o.Node.DeletedAt.IsZero():
		return Decision{Step: DeleteNomadNode}
	case owned && !o.VM.Deleting:
		return nextOfVM(o)
	case owned:
		return awaitVMGone(o)
	case o.Instance.Exists:
		// A client that still lives would register again after a purge, and be eligible. The watch tells when it has gone.
		return Decision{Step: Wait, Wake: pollInstance(o)}
	}
	if d, waiting := purge(o); waiting {
		return d
	}
	return clean(o)
}

// nextOfVM is the next step to the deletion of the VM.
func nextOfVM(o nodestate.State) Decision {
	left := untilTaken(o)
	switch {
	case vmMustWait(o):
		return Decision{Step: Wait, Wake: untilVMGoes(o)}
	case left > 0:
		return Decision{Step: Wait, Wake: left}
	case !o.VM.RemovalListed:
		return Decision{Step: ListClaims}
	default:
		return Decision{Step: DeleteVM}
	}
}

// takeTime is for how long KubeVirt is waited for before a VM that was just made is deleted.
const takeTime = 30 * time.Second

// untilTaken is how long to wait at most before the VM is deleted. Without KubeVirt's finalizer it would be gone at
// once, while KubeVirt, whose cache still has it, may make its instance: nobody would remove that, and it would hold
// the member for ever (seen when a pool was scaled in within a second of scaling out).
func untilTaken(o nodestate.State) time.Duration {
	if o.VM.Taken {
		return 0
	}
	return min(o.Node.Created.Add(takeTime).Sub(o.Now), takeTime) // the clock of the API server may be ahead
}

// vmNeedsNomad is true for a drained member whose VM stays because Nomad can't be asked if its node has got work since:
// somebody may have made the node eligible, and a guest that never joined may have joined late.
func vmNeedsNomad(o nodestate.State) bool {
	return o.Node.Drained && o.VM.Exists && o.VM.Owned && !o.VM.Deleting && !o.Nomad.Known &&
		o.Node.DrainResult != v1alpha1.DrainDeadlinePassed && o.Node.DrainResult != v1alpha1.DrainVMGone
}

// vmMustWait is true while the VM of a drained member stays because Nomad can't be asked. Unknown is not down: the wait
// has an end only if somebody asked for the deletion, because a Nomad that is gone for good must not block that.
func vmMustWait(o nodestate.State) bool {
	return vmNeedsNomad(o) && (o.Nomad.NotAsked || !deletionRequested(o) || purgeTimeLeft(o) > 0)
}

// vmStays is true for a drained member whose VM something keeps from being deleted. Otherwise that follows at once.
func vmStays(o nodestate.State) bool {
	return o.VM.Exists && o.VM.Owned && !o.VM.Deleting && (o.Refused != nil || vmMustWait(o))
}

// untilVMGoes is when that wait ends at the latest; 0: it has no end.
func untilVMGoes(o nodestate.State) time.Duration {
	if !deletionRequested(o) {
		return 0
	}
	return purgeTimeLeft(o)
}

// deletionRequested is true for a member whose deletion somebody asked for. A deletionTimestamp doesn't prove that: the
// controller deletes the NomadNode of every drained member, whatever the reason.
func deletionRequested(o nodestate.State) bool {
	in := o.Node.Drain
	return o.PoolDeleted || in != nil && (in.Reason == v1alpha1.DrainDeleted || in.Reason == v1alpha1.DrainVMDeleted)
}

// deletedBySomebody is true for a member that is being drained and whose deletion somebody asked for. The controller
// itself deletes a NomadNode once it is drained, and it may have to be drained once more after that.
func deletedBySomebody(o nodestate.State) bool {
	return !o.Node.DeletedAt.IsZero() && (deletionRequested(o) || !o.Node.DeletedByController)
}

// NeedsPool is true while the next step depends on whether the member's pool exists.
func NeedsPool(o nodestate.State) bool {
	if o.Nomad.NotAsked || deletionRequested(o) {
		return false
	}
	return vmNeedsNomad(o) || !o.Nomad.Known && !o.Node.Drained && !o.Node.DeletedAt.IsZero() && !deletedBySomebody(o)
}

// purgeTimeLeft is how much longer a drained member waits for a Nomad that can't be asked. A Nomad that this process
// has not asked yet doesn't count as such: it may answer in a moment, however long the controller was away.
func purgeTimeLeft(o nodestate.State) time.Duration {
	if o.Nomad.NotAsked {
		return unknownRetry
	}
	return purgeTimeoutAt(o).Sub(o.Now)
}

// purgeTimeoutAt is when a drained member stops waiting for a Nomad that can't be asked.
func purgeTimeoutAt(o nodestate.State) time.Time { return removedSince(o.Node).Add(o.PurgeTimeout) }

// purgeNomadUnknown is true for a member that waits only for the purge of its node, because Nomad can't be asked.
func purgeNomadUnknown(o nodestate.State) bool {
	if !o.Node.Drained || o.Node.DeletedAt.IsZero() || o.Nomad.Known || o.VM.Exists && o.VM.Owned || o.Instance.Exists {
		return false
	}
	_, waits := purge(o)
	return waits
}

func purge(o nodestate.State) (Decision, bool) {
	switch {
	case !o.Node.Purge:
		return Decision{}, false
	case !o.Nomad.Known:
		left := purgeTimeLeft(o)
		return Decision{Step: Wait, Wake: left}, left > 0
	default:
		return Decision{Step: Purge}, o.Nomad.Registered && o.Nomad.External == ""
	}
}

// removedSince is when the removal could begin. A drain may take longer than the time for which the removal waits for
// Nomad, so it doesn't count.
func removedSince(r nodestate.Node) time.Time {
	if r.DrainedAt.After(r.DeletedAt) {
		return r.DrainedAt
	}
	return r.DeletedAt
}

func clean(o nodestate.State) Decision {
	for _, c := range o.Claims {
		if !c.Deleting {
			return Decision{Step: DeleteClaims}
		}
	}
	switch {
	case len(o.Claims) > 0:
		return Decision{Step: Wait, Wake: pollClaims(o)}
	case o.Secret:
		return Decision{Step: DeleteSecret}
	default:
		return Decision{Step: Release, Late: o.Node.Purge && !o.Nomad.Known}
	}
}
