package httpapi

import (
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var allocationRoutes = map[string]methods{
	"/v1/allocations":              {get: listAllocations},
	"/v1/allocation/{id}":          {get: readAllocation},
	"/v1/allocation/{id}/stop":     {put: stopAllocation},
	"/v1/allocation/{id}/services": {get: allocationServices},
}

// seesNamespace returns which namespaces the list is of. A list of all namespaces has those that the token may see,
// and is refused if there is none; one of a single namespace is refused unless that may be seen (facts/nomad.md
// §0.6).
func (c *call) seesNamespace(s *state.Snapshot, capability string) (func(string) bool, error) {
	if c.q.namespace != api.AllNamespacesNamespace {
		namespace := c.q.namespace
		return func(n string) bool { return n == namespace }, need(c.may.AllowNamespaceOp(namespace, capability))
	}
	seen := map[string]bool{}
	for _, n := range state.Namespaces.All(s) {
		if c.may.AllowNamespaceOp(n.Name, capability) {
			seen[n.Name] = true
		}
	}
	return func(n string) bool { return seen[n] }, need(len(seen) > 0)
}

func listAllocations(c *call) (any, error) {
	if err := checkIDPrefix("allocation", c.q.prefix); err != nil {
		return nil, err
	}
	stub, err := c.allocationStubs()
	if err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.AllocationListStub, error) {
		index := s.Index(state.Allocs.Name)
		sees, err := c.seesNamespace(s, acl.ReadJob)
		if err != nil {
			return index, nil, err
		}
		stubs, err := list(c, kept(state.Allocs.All(s), func(a *api.Allocation) bool { return sees(a.Namespace) }),
			allocationID, stub)
		return index, stubs, err
	})
}

func allocationID(a *api.Allocation) string { return a.ID }

// allocationStubs makes stubs with what the call asks for: task states unless it doesn't want them, resources if it
// does.
func (c *call) allocationStubs() (func(*api.Allocation) *api.AllocationListStub, error) {
	resources, err := c.q.flag("resources", false)
	if err != nil {
		return nil, err
	}
	states, err := c.q.flag("task_states", true)
	if err != nil {
		return nil, err
	}
	return func(a *api.Allocation) *api.AllocationListStub { return allocationStub(a, resources, states) }, nil
}

func kept[T any](items []T, keep func(T) bool) []T {
	var out []T
	for _, item := range items {
		if keep(item) {
			out = append(out, item)
		}
	}
	return out
}

// allocation finds one that the token may read. To who may not there is none.
func (c *call) allocation(s *state.Snapshot, id, capability string) (*api.Allocation, error) {
	a := state.Allocs.Get(s, id)
	if a == nil {
		return nil, notFound("alloc")
	}
	return a, need(c.may.AllowNamespaceOp(a.Namespace, capability))
}

func readAllocation(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.Allocation, error) {
		a, err := c.allocation(s, c.id(), acl.ReadJob)
		if err != nil {
			return s.Index(state.Allocs.Name), nil, err
		}
		return a.ModifyIndex, shownAllocation(a), nil
	})
}

func stopAllocation(c *call) (any, error) {
	if _, err := c.allocation(c.api.server.Store().Read(), c.id(), acl.AllocLifecycle); err != nil {
		return nil, err
	}
	update, err := c.api.server.StopAlloc(c.id())
	if err != nil {
		return nil, err
	}
	c.setMeta(update.Index)
	return api.AllocStopResponse{EvalID: update.EvalID}, nil
}

// allocationServices: nothing registers services here.
func allocationServices(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []any, error) {
		_, err := c.allocation(s, c.id(), acl.ReadJob)
		return s.Index(state.Allocs.Name), []any{}, err
	})
}
