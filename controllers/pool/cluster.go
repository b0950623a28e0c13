package pool

import (
	"context"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
)

// The cluster that a guest joins is fixed by what its VM is made from: the servers, and the region. The controller asks
// for the guest's node at an address. A change of any of these may lead a pool to another cluster, while its members
// stay in theirs. The other cluster doesn't know them: if it were asked, their VMs would be deleted with all that runs
// on them.

// elsewhere reports whether a member isn't known to be in the Nomad cluster that its pool's connection leads to now.
func elsewhere(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode, link nomadlink.Link) bool {
	is, was := p.Spec.Nomad.NomadConnection, n.Spec.Nomad.NomadConnection
	if is.Address == was.Address && is.Region == was.Region {
		return false
	}
	if _, here := link.View.Nodes[n.Spec.NodeID]; link.Known && here {
		return false // the same cluster by another address; the node's ID was made for this member alone
	}
	if n.Status.Nomad.Cluster != "" && n.Status.Nomad.Cluster == link.Where {
		return false // the connection leads back to where it was seen last, even if a job has hidden its node there
	}
	// Its guest has not been seen in any cluster yet, ready or not, and will join the pool's: an address was corrected.
	coming := n.Status.JoinedTime == nil && n.Status.Nomad.Cluster == "" && is.Region == was.Region &&
		slices.Equal(n.Spec.Nomad.Servers, p.Spec.Nomad.Servers)
	return !coming
}

// connect copies the pool's connection to a member, unless the member is in another cluster. Then it keeps its own,
// with the credentials, because those of the pool are meant for the pool's cluster.
func connect(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode, link nomadlink.Link) {
	if !elsewhere(p, n, link) {
		n.Spec.Nomad.NomadConnection = *p.Spec.Nomad.NomadConnection.DeepCopy()
	}
}

// linkOf returns the link to the Nomad cluster that a member is in; away is true if that isn't the pool's.
func (r *Reconciler) linkOf(ctx context.Context, s *scope,
	n *v1alpha1.NomadNode) (link nomadlink.Link, away bool, err error) {
	sameRights := n.Spec.Nomad.NodePool == s.pool.Spec.Nomad.NodePool // the controller's credentials may be lent by it
	away, link = elsewhere(s.pool, n, s.link), s.link
	if away || !sameRights {
		link, err = r.Connections.Link(ctx, n, n.Spec.Nomad)
	}
	link = link.Of(n)
	return link, away || link.Known != s.link.Known, err
}
