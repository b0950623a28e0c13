package member

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// removePoll is how often things without a watch are looked at while a member is removed.
const removePoll = time.Second

// poll is how soon to look again at what should go away: less often once it is stuck.
func poll(stuck bool) time.Duration {
	if stuck {
		return problemRetry
	}
	return removePoll
}

// Removing is true for a step that removes something from Kubernetes, which admission or missing rights may refuse.
func (s Step) Removing() bool {
	switch s {
	case ListClaims, DeleteVM, DeleteClaims, DeleteSecret, DeleteNomadNode:
		return true
	default:
		return false
	}
}

// remove takes a drained member away: record, VM, Nomad node, disks, Secret, and the finalizer last.
func remove(o nodestate.State) Decision {
	d := nextRemoval(o)
	if o.Refused != nil && d.Step.Removing() {
		return Decision{Step: Wait, Wake: problemRetry} // nobody tells when it would be accepted
	}
	return d
}

func nextRemoval(o nodestate.State) Decision {
	switch vmOurs := o.VM.Exists && o.VM.Ours; {
	case o.Node.DeletedAt.IsZero():
		return Decision{Step: DeleteNomadNode}
	case vmOurs && !o.VM.Deleting && unsure(o):
		return Decision{Step: Wait, Wake: untilSure(o)}
	case vmOurs && !o.VM.Deleting && !o.VM.RemovalListed:
		return Decision{Step: ListClaims}
	case vmOurs && !o.VM.Deleting:
		return Decision{Step: DeleteVM}
	case vmOurs:
		return outlive(o)
	case o.Instance.Exists:
		// A purged client that lives registers again, eligible. The watch tells when it is gone.
		return Decision{Step: Wait, Wake: poll(instanceStuck(o))}
	}
	if d, waiting := purge(o); waiting {
		return d
	}
	return clean(o)
}

// holdsVM is true for a drained member whose VM stays because Nomad can't be asked if its node has got work since:
// the node may have been made eligible, and a guest that never joined may have joined late.
func holdsVM(o nodestate.State) bool {
	return o.Node.Drained && o.VM.Exists && o.VM.Ours && !o.VM.Deleting && !o.Nomad.Known &&
		o.Node.DrainResult != v1alpha1.DrainDeadlinePassed && o.Node.DrainResult != v1alpha1.DrainVMGone
}

// unsure is true while the VM of a drained member is kept because Nomad can't be asked. Unknown is not down: it is
// bounded only if somebody asked for the deletion, because a Nomad that is gone for good mustn't wedge that.
func unsure(o nodestate.State) bool {
	return holdsVM(o) && (o.Nomad.NotAsked || !wantsGone(o) || patience(o) > 0)
}

// untilSure is when to look again at the latest; 0: there is no such end.
func untilSure(o nodestate.State) time.Duration {
	if !wantsGone(o) {
		return 0
	}
	return patience(o)
}

// wantsGone is true for a member whose deletion somebody asked for. That its record is deleted doesn't tell: the
// controller does that itself once a member is drained, whatever it leaves for.
func wantsGone(o nodestate.State) bool {
	in := o.Node.Drain
	return o.PoolDeleted || in != nil && (in.Reason == v1alpha1.DrainDeleted || in.Reason == v1alpha1.DrainVMDeleted)
}

// NeedsPool is true while it matters if the member's pool is there.
func NeedsPool(o nodestate.State) bool {
	return holdsVM(o) && !o.Nomad.NotAsked && !wantsGone(o)
}

// patience is how much longer a drained member waits for a Nomad that can't be asked. A Nomad that this process has
// not asked yet is no such one: it may answer in a moment, however long this controller was away.
func patience(o nodestate.State) time.Duration {
	if o.Nomad.NotAsked {
		return unknownRetry
	}
	return impatientAt(o).Sub(o.Now)
}

// impatientAt is when a drained member no longer waits for a Nomad that can't be asked.
func impatientAt(o nodestate.State) time.Time { return removedSince(o.Node).Add(o.PurgeTimeout) }

// purgesBlind is true for a member of which nothing is left to wait for but a Nomad that can't be asked, which still
// has its node.
func purgesBlind(o nodestate.State) bool {
	if !o.Node.Drained || o.Node.DeletedAt.IsZero() || o.Nomad.Known || o.VM.Exists && o.VM.Ours || o.Instance.Exists {
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
		left := patience(o)
		return Decision{Step: Wait, Wake: left}, left > 0
	default:
		return Decision{Step: Purge}, o.Nomad.Registered && o.Nomad.Foreign == ""
	}
}

// removedSince is when the removal could begin. A member may drain for longer than it waits for Nomad afterwards.
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
		return Decision{Step: Wait, Wake: poll(stuckClaims(o) != "")}
	case o.Secret:
		return Decision{Step: DeleteSecret}
	default:
		return Decision{Step: Release, Late: o.Node.Purge && !o.Nomad.Known}
	}
}
