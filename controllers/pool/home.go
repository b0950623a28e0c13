package pool

import (
	"context"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
)

// The cluster that a guest joins is in what its VM is made from: the servers, and the region. The controller asks for
// it at an address. A pool may be led to another cluster by a change of any of these, while its members stay where
// they are: asked there, Nomad would know of none of them, and their VMs would go with all that runs on them.

// elsewhere is true for a member that isn't known to be in the Nomad cluster that its pool's connection leads to now.
func elsewhere(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode, link nomadlink.Link) bool {
	is, was := p.Spec.Nomad.NomadConnection, n.Spec.Nomad.NomadConnection
	if is.Address == was.Address && is.Region == was.Region {
		return false
	}
	if _, here := link.View.Nodes[n.Spec.NodeID]; link.Known && here {
		return false // the same cluster by another address; the node's ID was made for this member alone
	}
	// Nobody has seen its guest in any cluster yet, and the one that it will be in is the pool's: an address was
	// corrected.
	coming := n.Status.JoinedTime == nil && is.Region == was.Region &&
		slices.Equal(n.Spec.Nomad.Servers, p.Spec.Nomad.Servers)
	return !coming
}

// connect leads a member to where its pool is led, unless the member is in another cluster. It keeps the credentials
// for that one as well: those of the pool are meant for another.
func connect(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode, link nomadlink.Link) {
	if !elsewhere(p, n, link) {
		n.Spec.Nomad.NomadConnection = *p.Spec.Nomad.NomadConnection.DeepCopy()
	}
}

// linkOf is the way to the Nomad cluster that a member is in, and if that isn't the pool's.
func (r *Reconciler) linkOf(ctx context.Context, s *scope,
	n *v1alpha1.NomadNode) (link nomadlink.Link, away bool, err error) {
	if !elsewhere(s.pool, n, s.link) {
		link = s.link.Of(n)
		return link, link.Known != s.link.Known, nil
	}
	link, err = r.Connections.Link(ctx, n, n.Spec.Nomad.NomadConnection)
	return link.Of(n), true, err
}
