package sim

import (
	"context"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// capacityMutants do wrong by members whose VM has no capacity, or is halted.
func capacityMutants() []Mutation {
	return []Mutation{
		sees("forget to renew introduction tokens", func(o *nodestate.State) { o.IntroductionStaleAt = time.Time{} }),
		sees("start what somebody has halted", func(o *nodestate.State) {
			if o.VM.Halted && !o.Node.Leaving() {
				o.VM.AboveQuota, o.Node.Joined = "cpu", false
			}
		}),
		instead("never start what was halted for a quota", member.Wait, func(_ nodestate.State, d member.Decision) bool {
			return d.Step == member.StartVM
		}),
		sees("let a VM without its Secret wait for its quota", func(o *nodestate.State) {
			o.SecretMissing = false
			if o.VM.AboveQuota != "" && o.Node.LackedCapacity() {
				o.Node.CapacityAvailableTime = o.Now
			}
		}),
		sees("take a lack of capacity for a failure to join", func(o *nodestate.State) { o.Instance.Unschedulable = "" }),
		sees("replace members whose VM somebody has halted", func(o *nodestate.State) {
			o.VM.Halted = o.VM.Halted && o.VM.AboveQuota != ""
		}),
	}
}

// restoreMutants mistake whose drain it is.
func restoreMutants() []Mutation {
	return []Mutation{
		{Name: "take all drains for our own",
			Cluster: func(_ *process, c nomad.Cluster) nomad.Cluster { return grabbing{c} }},
		{Name: "extend a drain that was sent",
			Cluster: func(_ *process, c nomad.Cluster) nomad.Cluster { return renaming{grabbing{c}} }},
	}
}

// grabbing takes drains of others for those of a request.
type grabbing struct{ nomad.Cluster }

func (g grabbing) of(x nomad.Node, id string) nomad.Node {
	if x.LastDrain != nil && x.LastDrain.DrainID == "" {
		last := *x.LastDrain
		last.DrainID = id
		x.LastDrain = &last
	}
	return x
}

// View takes all for ours.
func (g grabbing) View() nomad.View {
	v := g.Cluster.View()
	nodes := map[string]nomad.Node{}
	for nodeID, x := range v.Nodes {
		nodes[nodeID] = g.of(x, "another")
	}
	v.Nodes = nodes
	return v
}

// Inspect takes all for ours.
func (g grabbing) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := g.Cluster.Inspect(ctx, nodeID)
	in.Node = g.of(in.Node, "another")
	return in, err
}

// renaming takes our own drains for those of somebody else, who has just begun.
type renaming struct{ grabbing }

// View renames them.
func (r renaming) View() nomad.View {
	v := r.Cluster.View()
	nodes := map[string]nomad.Node{}
	for nodeID, x := range v.Nodes {
		nodes[nodeID] = renamed(x)
	}
	v.Nodes = nodes
	return v
}

// Inspect renames them.
func (r renaming) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := r.Cluster.Inspect(ctx, nodeID)
	in.Node = renamed(in.Node)
	return in, err
}

func renamed(x nomad.Node) nomad.Node {
	if x.LastDrain != nil {
		last := *x.LastDrain
		last.DrainID, last.StartedAt = "", time.Time{}
		x.LastDrain = &last
	}
	return x
}
