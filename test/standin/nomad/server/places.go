package server

import (
	"regexp"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// poolName is what a node pool may be called (facts/nomad.md §5).
var poolName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`)

// UpsertNodePool creates or changes a node pool.
func (s *Server) UpsertNodePool(pool *api.NodePool) (uint64, error) {
	if !poolName.MatchString(pool.Name) {
		return 0, invalid("invalid node pool: invalid name %q, must match regex %s", pool.Name, poolName)
	}
	return s.write(func(tx *state.Txn) error { state.NodePools.Put(tx, pool); return nil })
}

// DeleteNodePool removes a node pool that nothing uses.
func (s *Server) DeleteNodePool(name string) (uint64, error) {
	return s.write(func(tx *state.Txn) error {
		if state.NodePools.Get(tx, name) == nil {
			return invalid("node pool %s not found", name)
		}
		if name == api.NodePoolAll || name == api.NodePoolDefault {
			return invalid("node pool %s is not allowed to be deleted", name)
		}
		for _, n := range state.Nodes.All(tx) {
			if n.NodePool == name {
				return invalid("node pool %q has nodes in regions: [%s]", name, s.config.Region)
			}
		}
		for _, j := range state.Jobs.All(tx) {
			if state.Value(j.NodePool) == name && state.Value(j.Status) != state.JobDead {
				return invalid("node pool %q has non-terminal jobs in regions: [%s]", name, s.config.Region)
			}
		}
		state.NodePools.Delete(tx, name)
		return nil
	})
}

// UpsertNamespace creates or changes a namespace.
func (s *Server) UpsertNamespace(n *api.Namespace) (uint64, error) {
	return s.write(func(tx *state.Txn) error { state.Namespaces.Put(tx, n); return nil })
}

// DeleteNamespace removes a namespace that nothing uses.
func (s *Server) DeleteNamespace(name string) (uint64, error) {
	return s.write(func(tx *state.Txn) error {
		if state.Namespaces.Get(tx, name) == nil {
			return invalid("namespace %q not found", name)
		}
		if name == api.DefaultNamespace {
			return invalid("can not delete default namespace")
		}
		for _, j := range state.Jobs.All(tx) {
			if state.Value(j.Namespace) == name && state.Value(j.Status) != state.JobDead {
				return invalid("namespace %q has non-terminal jobs in regions: [%s]", name, s.config.Region)
			}
		}
		state.Namespaces.Delete(tx, name)
		return nil
	})
}
