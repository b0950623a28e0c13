package member

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Identity is what a Nomad node reports of itself.
type Identity struct {
	// Name is the client's.
	Name string
	// PoolUID and Member come from the node's meta. Nomad's list of nodes has no meta, so a node of the list has neither.
	PoolUID, Member string
}

// Owns reports if a Nomad node with the member's ID is owned by the member, so that the controller may cordon, drain,
// uncordon and purge it. A NomadNode can be a copy that has the node ID of another member, or of an external node.
//
// The name alone proves it: the name comes from the configuration that the guest was given. A job may change the meta
// of the node that it runs on, and must not block the member for ever by that. The meta proves it as well: an operator
// may give the client another name.
func Owns(member, poolUID string, n Identity) bool {
	return n.Name == member || n.Member == member && n.PoolUID == poolUID
}

// FindByID is true for a member that leaves or had joined, whose guest may run, and whose node isn't in Nomad's list.
// The list holds only nodes whose meta names a pool, and a job may have removed that, so the controller asks for the
// node by its ID.
func FindByID(o nodestate.State) bool {
	return o.Nomad.Known && !o.Nomad.Registered && (o.DrainRequested() || o.Node.Joined && !o.Node.Leaving()) &&
		(o.Instance.Exists || o.VM.Exists && o.VM.Owned && !o.VM.Deleting)
}

// metaChanged describes a member that stays, whose node can't be followed.
func metaChanged(o nodestate.State) metav1.Condition {
	return condition.False(v1alpha1.ReasonNodeMetaChanged,
		"Nomad has the node, but its meta no longer names its pool, so it isn't in the list that the controller reads: "+
			"a job on it, or somebody who may write nodes, has changed that. Find out who, and put it back: "+
			fmt.Sprintf("nomad node meta apply -node-id %s %s=%s.", o.Node.ID, v1alpha1.MetaPoolUID, o.Node.PoolUID)+
			thenReplaced(o))
}

// ConfirmIdentity is true for a listed node whose name isn't the member's, while the controller may change the node:
// it asks for the node's meta first.
func ConfirmIdentity(o nodestate.State, member string, n Identity) bool {
	return o.Nomad.Known && n.Name != member &&
		(o.DrainRequested() || cancelPending(o) || o.Node.Drained && o.Node.Purge)
}

// NeverMade is true for a member whose guest was never made: it can't own a Nomad node of its ID. A guest that has
// registered was made, though its VM may have gone before that was recorded.
func NeverMade(o nodestate.State) bool {
	return !o.Node.VMMade && !o.Node.SeenInNomad && !o.VM.Exists && !o.Instance.Exists
}

// idTaken describes a member whose ID belongs to an external node in Nomad.
func idTaken(o nodestate.State) metav1.Condition {
	node := "isn't the member's"
	if o.Nomad.External != "" {
		node += ": " + o.Nomad.External
	}
	what := fmt.Sprintf("A Nomad node of this member's ID exists that %s. Nothing is done to it. ", node)
	switch {
	case o.Node.Drained:
	case !o.Node.Leaving():
		what += "If this NomadNode is a copy of another one, delete it; nodes are given new IDs by their pool only."
	case o.Node.Policy.OnTimeout == v1alpha1.DrainRetain:
		what += "onTimeout is Retain, so the member's VM stays: if nothing runs on it, set onTimeout to Force: " +
			forceIn(o.Node) + "."
	default:
		what += "The member's VM goes at the drain deadline."
	}
	return condition.False(v1alpha1.ReasonNodeIDTaken, what)
}
