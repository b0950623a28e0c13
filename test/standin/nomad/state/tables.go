package state

import (
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// What is stored. Deployments there are none of: health is that of allocations alone.
var (
	Nodes = table(&Table[Node]{
		Name: "nodes", id: func(n *Node) string { return n.ID },
		stamp: stamped(func(n *Node) (create, modify *uint64) { return &n.CreateIndex, &n.ModifyIndex }),
	})
	Allocs = table(&Table[api.Allocation]{
		Name: "allocs", id: func(a *api.Allocation) string { return a.ID },
		by: map[string]func(*api.Allocation) string{
			ByNode: func(a *api.Allocation) string { return a.NodeID },
			ByJob:  func(a *api.Allocation) string { return Key(a.Namespace, a.JobID) },
			ByEval: func(a *api.Allocation) string { return a.EvalID },
		},
		stamp: stamped(func(a *api.Allocation) (create, modify *uint64) { return &a.CreateIndex, &a.ModifyIndex }),
	})
	Jobs = table(&Table[api.Job]{
		Name: "jobs", id: JobKey,
		stamp: func(j, old *api.Job, index uint64) {
			create := index
			if old != nil {
				create = Value(old.CreateIndex)
			}
			j.CreateIndex, j.ModifyIndex = &create, &index // never in place: copies of a job share them
		},
	})
	JobVersions = table(&Table[JobVersion]{
		Name: "job_version", id: func(v *JobVersion) string {
			return fmt.Sprintf("%s\x00%020d", JobKey(v.Job),
				Value(v.Version))
		},
		by:    map[string]func(*JobVersion) string{ByJob: func(v *JobVersion) string { return JobKey(v.Job) }},
		stamp: func(_, _ *JobVersion, _ uint64) {}, // it is the job's
	})
	Evals = table(&Table[api.Evaluation]{
		Name: "evals", id: func(e *api.Evaluation) string { return e.ID },
		by: map[string]func(*api.Evaluation) string{
			ByJob:    func(e *api.Evaluation) string { return Key(e.Namespace, e.JobID) },
			ByStatus: func(e *api.Evaluation) string { return e.Status },
		},
		stamp: stamped(func(e *api.Evaluation) (create, modify *uint64) { return &e.CreateIndex, &e.ModifyIndex }),
	})
	Namespaces = table(&Table[api.Namespace]{
		Name: "namespaces", id: func(n *api.Namespace) string { return n.Name },
		stamp: stamped(func(n *api.Namespace) (create, modify *uint64) { return &n.CreateIndex, &n.ModifyIndex }),
	})
	NodePools = table(&Table[api.NodePool]{
		Name: "node_pools", id: func(p *api.NodePool) string { return p.Name },
		stamp: stamped(func(p *api.NodePool) (create, modify *uint64) { return &p.CreateIndex, &p.ModifyIndex }),
	})
	Variables = table(&Table[api.Variable]{
		Name: "variables", id: func(v *api.Variable) string { return Key(v.Namespace, v.Path) },
		stamp: stamped(func(v *api.Variable) (create, modify *uint64) { return &v.CreateIndex, &v.ModifyIndex }),
	})
	Settings = table(&Table[Setting]{
		Name: "settings", id: func(s *Setting) string { return s.Name },
		stamp: stamped(func(s *Setting) (create, modify *uint64) { return &s.CreateIndex, &s.ModifyIndex }),
	})
)

// Names of indexes, for Table.By.
const (
	ByNode   = "node"
	ByJob    = "job"
	ByEval   = "eval"
	ByStatus = "status"
	BySecret = "secret"
	ByMethod = "method"
)

// stamped sets the index at which an object was first put, and that of now.
func stamped[T any](indexes func(*T) (create, modify *uint64)) func(object, old *T, index uint64) {
	return func(object, old *T, index uint64) {
		first := index
		if old != nil {
			create, _ := indexes(old)
			first = *create
		}
		create, modify := indexes(object)
		*create, *modify = first, index
	}
}
