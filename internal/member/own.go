package member

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Named is what a Nomad node says that it is.
type Named struct {
	// Name is the client's.
	Name string
	// PoolUID and Member are what its meta says. The list of nodes has no meta, so they are empty for a node of the list.
	PoolUID, Member string
}

// Owns reports if a Nomad node of the member's ID is the member's, so that it may be cordoned, drained, made eligible
// and purged. A record can be a copy, with the ID of a node that belongs to another member, or to nobody here.
//
// Its name is enough: it comes from the configuration that the guest was given, while a job may change the meta of
// the node that it runs on, and must not hold its member for ever by that. The meta is enough as well: an operator
// may give the client another name.
func Owns(member, poolUID string, n Named) bool {
	return n.Name == member || n.Member == member && n.PoolUID == poolUID
}

// Hides is true for a member that leaves, whose guest may run, and whose node isn't in the list: that shows only the
// nodes that say in their meta that they belong to a pool, and a job may take that out of the meta. So the node is
// looked for by its ID.
func Hides(o nodestate.State) bool {
	return o.Nomad.Known && !o.Nomad.Registered && o.Ordered() &&
		(o.Instance.Exists || o.VM.Exists && o.VM.Ours && !o.VM.Deleting)
}

// Doubts is true for a node in the list that isn't called what its member is, while something may be done to it.
func Doubts(o nodestate.State, member string, n Named) bool {
	return o.Nomad.Known && n.Name != member && (o.Ordered() || rescuing(o) || o.Node.Drained && o.Node.Purge)
}

// Unmade is true for a member whose guest was never made: a Nomad node of its ID can't be its own.
func Unmade(o nodestate.State) bool { return !o.Node.VMMade && !o.VM.Exists && !o.Instance.Exists }

// taken says what becomes of a member whose ID is another's in Nomad.
func taken(o nodestate.State) metav1.Condition {
	what := fmt.Sprintf("A Nomad node of this member's ID exists that isn't the member's: %s. Nothing is done to it. ",
		o.Nomad.Foreign)
	switch {
	case o.Node.Drained:
	case !o.Node.Leaving():
		what += "If this NomadNode is a copy of another one, delete it; nodes are given new IDs by their pool only."
	case o.Node.Policy.OnTimeout == v1alpha1.DrainRetain:
		what += "onTimeout is Retain, so the member's VM stays: if nothing runs on it, set onTimeout to Force: " + forceIn(
			o.Node) + "."
	default:
		what += "The member's VM goes at the drain deadline."
	}
	return condition.False(v1alpha1.ReasonNodeIDTaken, what)
}

// drainNobody ends the drain of a member whose guest runs and whose ID is another's in Nomad: what runs on the guest,
// if it is that node after all, has until the deadline.
func drainNobody(o nodestate.State) Decision {
	if !o.Instance.Exists {
		return markDrained(true, v1alpha1.DrainNeverJoined,
			"The Nomad node of this ID isn't the member's, and no guest of the member's runs.")
	}
	if o.Node.DrainOnTimeout() == v1alpha1.DrainRetain {
		return Decision{Step: Wait}
	}
	if left := untilGivenUp(o); left > 0 {
		return Decision{Step: Wait, Wake: left}
	}
	return markDrained(true, v1alpha1.DrainDeadlinePassed,
		"The drain deadline has passed. The Nomad node of this ID isn't the member's, so it was not drained.")
}
