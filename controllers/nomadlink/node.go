package nomadlink

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// NodeOf is the state of a member's Nomad node, without its allocations. A server may say anything for its
// status; Nomad's are short.
func NodeOf(n *v1alpha1.NomadNode, v nomad.Node) nodestate.Nomad {
	o := nodestate.Nomad{Known: true, Registered: true, CreateIndex: v.CreateIndex,
		Status: kube.Clamp(v.Status, kube.MaxColumn), Eligible: v.Eligible, Draining: v.Draining,
		Misplaced: misplaced(n, v), Namesake: v.Namesake}
	if v.LastDrain != nil {
		o.DrainID, o.DrainOnTimeout = v.LastDrain.DrainID, v1alpha1.DrainTimeoutAction(v.LastDrain.OnTimeout)
		o.DrainCompleted = v.LastDrain.Status == nomad.DrainComplete
		o.DrainIgnoreSystemJobs = v.LastDrain.IgnoreSystemJobs
		o.DrainStarted, o.DrainUpdated = v.LastDrain.StartedAt, v.LastDrain.UpdatedAt
	}
	return o
}
