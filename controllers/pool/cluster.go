package pool

import (
	"context"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
)

// The cluster that a guest joins is fixed by what its VM is made from: the servers, and the region. The controller asks
// for the guest's node at an address. A change of any of these may lead a pool to another cluster, while its members
// stay in theirs. The other cluster doesn't know them: if it were asked, their VMs would be deleted with all that runs
// on them.

// place is where a member is asked for in this reconcile, and what its spec is to say of that.
type place struct {
	link   nomadlink.Link
	conn   v1alpha1.NomadConnection
	former *v1alpha1.NomadConnection
	// away is true if it isn't known to be in the Nomad cluster that its pool's connection leads to now.
	away bool
}

// placeOf decides where a member is asked for. It follows its pool's connection, unless it is in another cluster. Then
// it keeps the one that it has, with the credentials, because those of the pool are meant for the pool's cluster.
func (r *Reconciler) placeOf(ctx context.Context, s *scope, n *v1alpha1.NomadNode) (place, error) {
	is := s.pool.Spec.Nomad.NomadConnection
	follows := place{link: s.link.Of(n), conn: is}
	same := sameCluster(is, n.Spec.Nomad.NomadConnection)
	sameRights := n.Spec.Nomad.NodePool == s.pool.Spec.Nomad.NodePool // the controller's credentials may be lent by it
	_, here := s.link.View.Nodes[n.Spec.NodeID]
	here = here && s.link.Known // the same cluster by another address; the node's ID was made for this member alone
	former := s.formerOf(n)
	if same && n.Spec.FormerNomad == nil && former != nil && !nomadlink.Seen(n) { // it followed before that was remembered
		n = n.DeepCopy()
		n.Spec.FormerNomad = former
	}
	if sameRights && (here || same && n.Spec.FormerNomad == nil) {
		return follows, nil
	}
	present, err := r.Connections.Link(ctx, n, n.Spec.Nomad)
	if err != nil {
		return place{}, err
	}
	switch seen := n.Status.Nomad.Cluster; {
	case seen != "" && seen == s.link.Where: // or it leads back there, even if a job has hidden the member's node
		if !sameRights {
			follows.link = present.Of(n)
		}
		return follows, nil
	case present.Former:
		return place{link: present, conn: n.Spec.Nomad.NomadConnection, former: n.Spec.FormerNomad, away: true}, nil
	case same && !nomadlink.Seen(n):
		return place{link: present, conn: is, former: former}, nil
	case same, here:
		return place{link: present.Of(n), conn: is}, nil
	case s.coming(n, present):
		follows.link, follows.former = both(s.link, present), former
		return follows, nil
	}
	return place{link: present.Of(n), conn: n.Spec.Nomad.NomadConnection, former: n.Spec.FormerNomad, away: true}, nil
}

// coming is true for a member that has not been seen in any cluster yet, ready or not, and whose guest may join the
// pool's: the address was corrected, or the servers are yet to be changed as well.
func (s *scope) coming(n *v1alpha1.NomadNode, present nomadlink.Link) bool {
	_, there := present.View.Nodes[n.Spec.NodeID]
	return !there && !nomadlink.Seen(n) && s.hasServers(n)
}

// both is the link to the pool's Nomad for a member that was asked for elsewhere until now. It knows nothing of the
// member unless that was known there.
func both(l, present nomadlink.Link) nomadlink.Link {
	if !present.Known {
		l.Known, l.NotAsked, l.Reason, l.Message = false, present.NotAsked, present.Reason, present.Message
	}
	return l
}

// connect copies to a member where it is asked for.
func (p place) connect(n *v1alpha1.NomadNode) {
	n.Spec.Nomad.NomadConnection, n.Spec.FormerNomad = *p.conn.DeepCopy(), p.former.DeepCopy()
}
