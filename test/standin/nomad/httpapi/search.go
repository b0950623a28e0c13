package httpapi

import (
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/api/contexts"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var searchRoutes = map[string]methods{"/v1/search": {put: search}}

// searchLimit is how many matches of a kind are shown.
const searchLimit = 20

// search finds IDs by how they begin. What the token may not see isn't found.
func search(c *call) (any, error) {
	var in api.SearchRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	s := c.api.server.Store().Read()
	namespace := c.q.namespace
	found := map[contexts.Context][]string{}
	add := func(kind contexts.Context, allowed bool, ids []string) {
		if !allowed || in.Context != contexts.All && in.Context != "" && in.Context != kind {
			return
		}
		found[kind] = []string{}
		for _, id := range ids {
			if strings.HasPrefix(id, in.Prefix) {
				found[kind] = append(found[kind], id)
			}
		}
	}
	inNamespace := func(n string) bool {
		return (namespace == api.AllNamespacesNamespace || n == namespace) && c.may.AllowNamespaceOp(n, acl.ReadJob)
	}
	add(contexts.Nodes, c.may.AllowNodeRead(),
		ids(state.Nodes.All(s), func(n *state.Node) (string, bool) { return n.ID, true }))
	add(contexts.Jobs, true,
		ids(state.Jobs.All(s), func(j *api.Job) (string, bool) { return value(j.ID), inNamespace(value(j.Namespace)) }))
	add(contexts.Allocs, true,
		ids(state.Allocs.All(s), func(a *api.Allocation) (string, bool) { return a.ID, inNamespace(a.Namespace) }))
	add(contexts.Evals, true,
		ids(state.Evals.All(s), func(e *api.Evaluation) (string, bool) { return e.ID, inNamespace(e.Namespace) }))
	add(contexts.Namespaces, true,
		ids(state.Namespaces.All(s), func(n *api.Namespace) (string, bool) { return n.Name, c.may.AllowNamespace(n.Name) }))
	add(contexts.NodePools, true, ids(state.NodePools.All(s), func(p *api.NodePool) (string, bool) {
		return p.Name, c.may.AllowNodePoolOp(p.Name, acl.NodePoolCapabilityRead)
	}))
	out := api.SearchResponse{Matches: found, Truncations: map[contexts.Context]bool{}}
	for kind, matches := range found {
		if out.Truncations[kind] = len(matches) > searchLimit; out.Truncations[kind] {
			found[kind] = matches[:searchLimit]
		}
	}
	c.setMeta(max(s.Index(), 1))
	return out, nil
}

func ids[T any](items []*T, of func(*T) (string, bool)) []string {
	var out []string
	for _, item := range items {
		if id, allowed := of(item); allowed {
			out = append(out, id)
		}
	}
	return out
}
