package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// memberFacts returns what a pool knows of one of its members.
func memberFacts(n *v1alpha1.NomadNode, link nomadlink.Link, now time.Time) pool.Member {
	s := nodestate.State{Now: now, Node: nodestate.Of(n)}
	if v, found := link.View.Nodes[n.Spec.NodeID]; found {
		s.Nomad = nomadlink.NodeOf(n, v)
	}
	s.Nomad.Known = link.Known
	return pool.MemberOf(s)
}
