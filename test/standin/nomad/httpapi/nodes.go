package httpapi

import (
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var nodeRoutes = map[string]methods{
	"/v1/nodes":                 {get: listNodes},
	"/v1/node/{id}":             {get: readNode},
	"/v1/node/{id}/allocations": {get: nodeAllocations},
	"/v1/node/{id}/drain":       {put: drainNode},
	"/v1/node/{id}/eligibility": {put: nodeEligibility},
	"/v1/node/{id}/purge":       {put: purgeNode},
	"/v1/node/{id}/evaluate":    {put: evaluateNode},
}

// listNodes wakes on any write to any node, whatever the filter (facts/nomad.md §1).
func listNodes(c *call) (any, error) {
	if err := need(c.may.AllowNodeRead()); err != nil {
		return nil, err
	}
	if err := checkIDPrefix("node", c.q.prefix); err != nil {
		return nil, err
	}
	resources, err := c.q.flag("resources", false)
	if err != nil {
		return nil, err
	}
	os, err := c.q.flag("os", false)
	if err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.NodeListStub, error) {
		var nodes []*api.Node
		for _, n := range state.Nodes.All(s) {
			nodes = append(nodes, &n.Node)
		}
		stubs, err := list(c, nodes, func(n *api.Node) string { return n.ID }, func(n *api.Node) *api.NodeListStub {
			return nodeStub(n, resources, os)
		})
		return s.Index(state.Nodes.Name), stubs, err
	})
}

// readNode shows no secret, and wakes on that node alone.
func readNode(c *call) (any, error) {
	if err := need(c.may.AllowNodeRead()); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, *api.Node, error) {
		n := state.Nodes.Get(s, c.id())
		if n == nil {
			return s.Index(state.Nodes.Name), nil, notFound("node")
		}
		shown := n.Node
		shown.Drain = n.DrainStrategy != nil
		return n.ModifyIndex, &shown, nil
	})
}

// nodeAllocations leaves out, without a word, what the token may not read (facts/nomad.md §0.6).
func nodeAllocations(c *call) (any, error) {
	if err := need(c.may.AllowNodeRead()); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.Allocation, error) {
		out := []*api.Allocation{}
		index := uint64(0)
		for _, a := range state.Allocs.By(s, state.ByNode, c.id()) {
			if c.may.AllowNamespaceOp(a.Namespace, acl.ReadJob) {
				out = append(out, shownAllocation(a))
				index = max(index, a.ModifyIndex)
			}
		}
		if len(out) == 0 {
			index = s.Index(state.Allocs.Name)
		}
		return index, out, nil
	})
}

func drainNode(c *call) (any, error) {
	if err := need(c.may.AllowNodeWrite()); err != nil {
		return nil, err
	}
	var in api.NodeUpdateDrainRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	update, err := c.api.server.UpdateDrain(server.DrainRequest{
		NodeID: c.id(), Spec: in.DrainSpec, MarkEligible: in.MarkEligible, Meta: in.Meta, AccessorID: c.accessor(),
	})
	if err != nil {
		return nil, err
	}
	c.setIndex(update.Index)
	return api.NodeDrainUpdateResponse{
		NodeModifyIndex: update.NodeModifyIndex, EvalIDs: update.EvalIDs, EvalCreateIndex: update.EvalCreateIndex,
	}, nil
}

// accessor is who asks, as a drain records it.
func (c *call) accessor() string {
	if c.token == nil {
		return ""
	}
	return "token:" + c.token.AccessorID
}

func nodeEligibility(c *call) (any, error) {
	if err := need(c.may.AllowNodeWrite()); err != nil {
		return nil, err
	}
	var in api.NodeUpdateEligibilityRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Eligibility != api.NodeSchedulingEligible && in.Eligibility != api.NodeSchedulingIneligible {
		return nil, badRequest("invalid scheduling eligibility %q", in.Eligibility)
	}
	update, err := c.api.server.ToggleEligibility(c.id(), in.Eligibility == api.NodeSchedulingEligible)
	return c.nodeUpdate(update, err)
}

func purgeNode(c *call) (any, error) {
	if err := need(c.may.AllowNodeWrite()); err != nil {
		return nil, err
	}
	update, err := c.api.server.PurgeNode(strings.TrimSpace(c.id()))
	return c.nodeUpdate(update, err)
}

func evaluateNode(c *call) (any, error) {
	if err := need(c.may.AllowNodeWrite()); err != nil {
		return nil, err
	}
	update, err := c.api.server.EvaluateNode(c.id())
	return c.nodeUpdate(update, err)
}

func (c *call) nodeUpdate(update server.NodeUpdate, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	c.setIndex(update.Index)
	return api.NodeEligibilityUpdateResponse{
		NodeModifyIndex: update.NodeModifyIndex, EvalIDs: update.EvalIDs, EvalCreateIndex: update.EvalCreateIndex,
	}, nil
}
