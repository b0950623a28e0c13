package state

import (
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// What is stored. Deployments there are none of: health is that of allocations alone.
var (
	Nodes = table(&Table[Node]{
		Name: "nodes", id: func(n *Node) string { return n.ID },
		stamp: func(n, old *Node, index uint64) {
			n.CreateIndex, n.ModifyIndex = created(old, index, func(o *Node) uint64 { return o.CreateIndex }), index
		},
	})
	Allocs = table(&Table[api.Allocation]{
		Name: "allocs", id: func(a *api.Allocation) string { return a.ID },
		by: map[string]func(*api.Allocation) string{
			ByNode: func(a *api.Allocation) string { return a.NodeID },
			ByJob:  func(a *api.Allocation) string { return Key(a.Namespace, a.JobID) },
			ByEval: func(a *api.Allocation) string { return a.EvalID },
		},
		stamp: func(a, old *api.Allocation, index uint64) {
			a.CreateIndex, a.ModifyIndex = created(old, index, func(o *api.Allocation) uint64 { return o.CreateIndex }), index
		},
	})
	Jobs = table(&Table[api.Job]{
		Name: "jobs", id: JobKey,
		stamp: func(j, old *api.Job, index uint64) {
			create := created(old, index, func(o *api.Job) uint64 { return Value(o.CreateIndex) })
			j.CreateIndex, j.ModifyIndex = &create, &index
		},
	})
	JobVersions = table(&Table[JobVersion]{
		Name: "job_version", id: func(v *JobVersion) string { return fmt.Sprintf("%s\x00%020d", JobKey(v.Job), Value(v.Version)) },
		by:    map[string]func(*JobVersion) string{ByJob: func(v *JobVersion) string { return JobKey(v.Job) }},
		stamp: func(_, _ *JobVersion, _ uint64) {}, // it is the job's
	})
	Evals = table(&Table[api.Evaluation]{
		Name: "evals", id: func(e *api.Evaluation) string { return e.ID },
		by: map[string]func(*api.Evaluation) string{
			ByJob:    func(e *api.Evaluation) string { return Key(e.Namespace, e.JobID) },
			ByStatus: func(e *api.Evaluation) string { return e.Status },
		},
		stamp: func(e, old *api.Evaluation, index uint64) {
			e.CreateIndex, e.ModifyIndex = created(old, index, func(o *api.Evaluation) uint64 { return o.CreateIndex }), index
		},
	})
	Namespaces = table(&Table[api.Namespace]{
		Name: "namespaces", id: func(n *api.Namespace) string { return n.Name },
		stamp: func(n, old *api.Namespace, index uint64) {
			n.CreateIndex, n.ModifyIndex = created(old, index, func(o *api.Namespace) uint64 { return o.CreateIndex }), index
		},
	})
	NodePools = table(&Table[api.NodePool]{
		Name: "node_pools", id: func(p *api.NodePool) string { return p.Name },
		stamp: func(p, old *api.NodePool, index uint64) {
			p.CreateIndex, p.ModifyIndex = created(old, index, func(o *api.NodePool) uint64 { return o.CreateIndex }), index
		},
	})
	Settings = table(&Table[Setting]{
		Name: "settings", id: func(s *Setting) string { return s.Name },
		stamp: func(s, old *Setting, index uint64) {
			s.CreateIndex, s.ModifyIndex = created(old, index, func(o *Setting) uint64 { return o.CreateIndex }), index
		},
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

// created is the index at which an object was first put.
func created[T any](old *T, index uint64, of func(*T) uint64) uint64 {
	if old == nil {
		return index
	}
	return of(old)
}
