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
	former *v1alpha1.FormerNomad
	// away is true if it isn't known to be in the Nomad cluster that its pool's connection leads to now.
	away bool
}

// placeOf decides where a member is asked for. It follows its pool's connection, unless it is in another cluster. Then
// it keeps the one that it has, with the credentials, because those of the pool are meant for the pool's cluster.
func (r *Reconciler) placeOf(ctx context.Context, s *scope, n *v1alpha1.NomadNode) (place, error) {
	same := sameCluster(s.pool.Spec.Nomad.NomadConnection, n.Spec.Nomad.NomadConnection)
	if former := s.formerOf(n); same && n.Spec.FormerNomad == nil && former != nil && !nomadlink.Seen(n) {
		n = n.DeepCopy() // it followed before that was remembered
		n.Spec.FormerNomad = former
	}
	if s.sameRights(n) && (s.here(n) || same && n.Spec.FormerNomad == nil) {
		return s.follows(n), nil
	}
	present, err := r.Connections.Link(ctx, n, n.Spec.Nomad)
	if err != nil {
		return place{}, err
	}
	return s.placeBy(n, present, same), nil
}

// placeBy decides by the link that the member has at present. same is true if its connection is the pool's.
func (s *scope) placeBy(n *v1alpha1.NomadNode, present nomadlink.Link, same bool) place {
	at := s.follows(n)
	switch seen := n.Status.Nomad.Cluster; {
	case seen != "" && seen == s.link.Where: // or it leads back there, even if a job has hidden the member's node
		if !s.sameRights(n) {
			at.link = present.Of(n)
		}
		return at
	case present.Former:
		return place{link: present, conn: n.Spec.Nomad.NomadConnection, former: n.Spec.FormerNomad, away: true}
	case same && !nomadlink.Seen(n):
		at.link, at.former = present, s.formerOf(n)
		return at
	case same, s.here(n):
		at.link = present.Of(n)
		return at
	case s.coming(n, present):
		at.link, at.former = both(s.link, present), s.formerOf(n)
		return at
	}
	return place{link: present.Of(n), conn: n.Spec.Nomad.NomadConnection, former: n.Spec.FormerNomad, away: true}
}

// follows is where a member is asked for that is in the Nomad that its pool's connection leads to.
func (s *scope) follows(n *v1alpha1.NomadNode) place {
	return place{link: s.link.Of(n), conn: s.pool.Spec.Nomad.NomadConnection}
}

// here is true if that Nomad has the member's node: a node's ID was made for its member alone, so that it is the same
// Nomad by whichever address.
func (s *scope) here(n *v1alpha1.NomadNode) bool {
	_, listed := s.link.View.Nodes[n.Spec.NodeID]
	return listed && s.link.Known
}

// sameRights is false for a member of another node pool of Nomad's, for which the controller may lend its credentials
// to nobody.
func (s *scope) sameRights(n *v1alpha1.NomadNode) bool {
	return n.Spec.Nomad.NodePool == s.pool.Spec.Nomad.NodePool
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
