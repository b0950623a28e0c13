package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// memberFacts returns what a pool knows of one of its members.
func memberFacts(n *v1alpha1.NomadNode, link nomadlink.Link, now time.Time) pool.Member {
	s := nodestate.State{Now: now, Node: nodestate.Of(n), NomadRecovered: link.View.RecoveredSince}
	if v, found := link.View.Nodes[n.Spec.NodeID]; found {
		s.Nomad = nomadlink.NodeOf(n, v)
	}
	s.Nomad.Known, s.Nomad.NotAsked = link.Known, link.NotAsked
	if link.Cluster != nil && s.Node.Emptying() {
		s.Nomad.Batch = batchOn(link.Cluster.Allocations(), n.Spec.NodeID, now)
	}
	return pool.MemberOf(s)
}

// batchOn returns what is known of the batch jobs' allocations on a node. The node's controller has them polled.
func batchOn(allocs nomad.AllocationsView, nodeID string, now time.Time) nodestate.Batch {
	live, asked := allocs.Live[nodeID]
	out := nodestate.Batch{Known: asked && now.Sub(allocs.Started) < nomadlink.AllocationsLimit}
	for _, a := range live {
		if a.JobType == "batch" || a.JobType == "sysbatch" {
			out.Live, out.Stopping = true, out.Stopping || a.DesiredStatus == "stop"
		}
	}
	return out
}
