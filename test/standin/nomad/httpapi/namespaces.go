package httpapi

import (
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var namespaceRoutes = map[string]methods{
	"/v1/namespaces":     {get: listNamespaces},
	"/v1/namespace":      {put: upsertNamespace},
	"/v1/namespace/{id}": {get: readNamespace, put: upsertNamespace, del: deleteNamespace},
}

func namespaceName(n *api.Namespace) string { return n.Name }

// listNamespaces leaves out what the token may do nothing in.
func listNamespaces(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.Namespace, error) {
		seen := kept(state.Namespaces.All(s), func(n *api.Namespace) bool { return c.may.AllowNamespace(n.Name) })
		out, err := list(c, seen, namespaceName, whole[*api.Namespace])
		return s.Index(state.Namespaces.Name), out, err
	})
}

func readNamespace(c *call) (any, error) {
	if err := need(c.may.AllowNamespace(c.id())); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, *api.Namespace, error) {
		n := state.Namespaces.Get(s, c.id())
		if n == nil {
			return s.Index(state.Namespaces.Name), nil, notFound("Namespace")
		}
		return n.ModifyIndex, n, nil
	})
}

func upsertNamespace(c *call) (any, error) {
	if err := need(c.may.IsManagement()); err != nil {
		return nil, err
	}
	var in api.Namespace
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = c.id()
	}
	return c.written(c.api.server.UpsertNamespace(&in))
}

func deleteNamespace(c *call) (any, error) {
	if err := need(c.may.IsManagement()); err != nil {
		return nil, err
	}
	return c.written(c.api.server.DeleteNamespace(c.id()))
}

// written answers a write that has nothing to say but its index.
func (c *call) written(index uint64, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	c.setIndex(index)
	return nil, nil
}

var poolRoutes = map[string]methods{
	"/v1/node/pools":           {get: listPools, put: upsertPool},
	"/v1/node/pool/{id}":       {get: readPool, put: upsertPool, del: deletePool},
	"/v1/node/pool/{id}/nodes": {get: poolNodes},
	"/v1/node/pool/{id}/jobs":  {get: poolJobs},
}

func listPools(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.NodePool, error) {
		seen := kept(state.NodePools.All(s),
			func(p *api.NodePool) bool { return c.may.AllowNodePoolOp(p.Name, acl.NodePoolCapabilityRead) })
		out, err := list(c, seen, func(p *api.NodePool) string { return p.Name }, whole[*api.NodePool])
		return s.Index(state.NodePools.Name), out, err
	})
}

func readPool(c *call) (any, error) {
	if err := need(c.may.AllowNodePoolOp(c.id(), acl.NodePoolCapabilityRead)); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, *api.NodePool, error) {
		p := state.NodePools.Get(s, c.id())
		if p == nil {
			return s.Index(state.NodePools.Name), nil, notFound("node pool")
		}
		return p.ModifyIndex, p, nil
	})
}

func upsertPool(c *call) (any, error) {
	var in api.NodePool
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = c.id()
	}
	if err := need(c.may.AllowNodePoolOp(in.Name, acl.NodePoolCapabilityWrite)); err != nil {
		return nil, err
	}
	return c.written(c.api.server.UpsertNodePool(&in))
}

func deletePool(c *call) (any, error) {
	if err := need(c.may.AllowNodePoolOp(c.id(), acl.NodePoolCapabilityDelete)); err != nil {
		return nil, err
	}
	return c.written(c.api.server.DeleteNodePool(c.id()))
}

// poolNodes of a pool that isn't there are none, and no 404 (facts/nomad.md §5).
func poolNodes(c *call) (any, error) {
	if err := need(c.may.AllowNodeRead() && c.may.AllowNodePoolOp(c.id(), acl.NodePoolCapabilityRead)); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.NodeListStub, error) {
		var nodes []*api.Node
		for _, n := range state.Nodes.All(s) {
			if c.id() == "all" || n.NodePool == c.id() {
				nodes = append(nodes, &n.Node)
			}
		}
		stubs, err := list(c, nodes, func(n *api.Node) string { return n.ID },
			func(n *api.Node) *api.NodeListStub { return nodeStub(n, false, false) })
		return s.Index(state.Nodes.Name), stubs, err
	})
}

func poolJobs(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.JobListStub, error) {
		index := s.Index(state.Jobs.Name)
		sees, err := c.seesNamespace(s, acl.ReadJob)
		if err != nil {
			return index, nil, err
		}
		jobs := kept(state.Jobs.All(s),
			func(j *api.Job) bool { return sees(value(j.Namespace)) && value(j.NodePool) == c.id() })
		stubs, err := list(c, jobs, func(j *api.Job) string { return value(j.ID) },
			func(j *api.Job) *api.JobListStub { return jobStub(j, nil, false) })
		return index, stubs, err
	})
}
