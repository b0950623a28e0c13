package pool

import (
	"cmp"
	"maps"
	"slices"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Guests join the cluster of the servers that they were given, and the controller asks for them at an address. Somebody
// may change one of the two alone, for a moment or by mistake. So it is remembered where the servers led to while Nomad
// answered, and members that nobody has seen yet are looked for there as well.

// formerOf is where a member's servers led to, if that isn't known to be where its pool's connection leads to; nil: it
// is. The first such place stays, for its servers are those of then.
func (s *scope) formerOf(n *v1alpha1.NomadNode) *v1alpha1.FormerNomad {
	was := s.pool.Status.Nomad
	switch {
	case s.proven && s.hasServers(n):
		return nil
	case n.Spec.FormerNomad != nil:
		return n.Spec.FormerNomad
	case was == nil || !sameServers(&n.Spec.Nomad, was.Servers, was.Region),
		sameCluster(was.NomadConnection, s.pool.Spec.Nomad.NomadConnection):
		return nil
	}
	return &was.FormerNomad
}

// nomadStatus is where the members' servers led to. It is written before members are made by it.
func nomadStatus(s *scope) *v1alpha1.PoolNomadStatus {
	spec, was := &s.pool.Spec.Nomad, s.pool.Status.Nomad
	if !s.link.Known {
		return was
	}
	if was == nil {
		was = s.nomadOfMembers()
	}
	is := &v1alpha1.PoolNomadStatus{Servers: spec.Servers}
	is.NomadConnection, is.Joined = spec.NomadConnection, s.proven
	switch joined := was != nil && (was.Joined || s.snapshot.ServersLeadTo != ""); {
	case was == nil, !sameServers(spec, was.Servers, was.Region):
	case sameCluster(spec.NomadConnection, was.NomadConnection):
		is.Joined = s.proven || joined
	case !s.proven:
		is.NomadConnection, is.Joined = was.NomadConnection, joined
	}
	return is
}

// nomadOfMembers is where the pool's servers led to by members that were seen elsewhere than its connection leads to,
// for a pool without that in its status: an earlier version made it, or it was restored; nil: there are none.
func (s *scope) nomadOfMembers() *v1alpha1.PoolNomadStatus {
	for _, name := range slices.Sorted(maps.Keys(s.members)) {
		if n := s.members[name]; s.places[name].away && n.Status.Nomad.Cluster != "" && s.hasServers(n) {
			conn := &n.Spec.Nomad.NomadConnection
			if s.places[name].link.Former {
				conn = &n.Spec.FormerNomad.NomadConnection
			}
			return &v1alpha1.PoolNomadStatus{FormerNomad: v1alpha1.FormerNomad{NomadConnection: *conn, Joined: true},
				Servers: n.Spec.Nomad.Servers}
		}
	}
	return nil
}

// provenHere reports whether a member with the pool's servers is in the Nomad that the pool's connection leads to.
func (s *scope) provenHere(all []v1alpha1.NomadNode) bool {
	for i := range all {
		n := &all[i]
		if s.here(n) && s.hasServers(n) {
			return true
		}
	}
	return false
}

// hasServers reports whether a member was given the servers that new ones are given.
func (s *scope) hasServers(n *v1alpha1.NomadNode) bool {
	return sameServers(&n.Spec.Nomad, s.pool.Spec.Nomad.Servers, s.pool.Spec.Nomad.Region)
}

// ledAstray is where the pool's servers lead to if that isn't where its connection leads to, as a member shows that
// follows the connection and was found elsewhere; empty: none shows it.
func ledAstray(s *scope) (where string) {
	if s.proven {
		return ""
	}
	for name, n := range s.members {
		at := s.places[name]
		found := at.link.Former && sameCluster(at.conn, s.pool.Spec.Nomad.NomadConnection)
		// While that Nomad can't be used the link has no address.
		is := cmp.Or(n.Status.Nomad.Cluster, at.link.Where)
		if found && s.hasServers(n) && (where == "" || is < where) {
			where = is
		}
	}
	return where
}

// follow has the members that are where the pool's servers lead to follow its connection, and remember where they are:
// when those that have shown it are gone, the others still do. Otherwise one more would be made to find out each time.
func (s *scope) follow() {
	where := s.snapshot.ServersLeadTo
	if where == "" {
		return
	}
	for name, n := range s.members {
		at := s.places[name]
		if n.Status.Nomad.Cluster != where || !at.away || !s.hasServers(n) {
			continue
		}
		if !at.link.Former {
			at.former = &v1alpha1.FormerNomad{NomadConnection: n.Spec.Nomad.NomadConnection, Joined: true}
		}
		at.conn = s.pool.Spec.Nomad.NomadConnection
		s.places[name] = at
	}
}

func sameServers(in *v1alpha1.NomadSpec, servers []string, region string) bool {
	return in.Region == region && slices.Equal(in.Servers, servers)
}

func sameCluster(a, b v1alpha1.NomadConnection) bool {
	return a.Address == b.Address && a.Region == b.Region
}
