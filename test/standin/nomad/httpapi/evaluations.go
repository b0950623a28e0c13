package httpapi

import (
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var evaluationRoutes = map[string]methods{
	"/v1/evaluations/count":           {get: countEvaluations},
	"/v1/evaluations":                 {get: listEvaluations},
	"/v1/evaluation/{id}":             {get: readEvaluation},
	"/v1/evaluation/{id}/allocations": {get: evaluationAllocations},
}

func evaluationID(e *api.Evaluation) string { return e.ID }

func (c *call) evaluations(s *state.Snapshot) ([]*api.Evaluation, error) {
	sees, err := c.seesNamespace(s, acl.ReadJob)
	if err != nil {
		return nil, err
	}
	job, status := c.q.values.Get("job"), c.q.values.Get("status")
	return list(c, kept(state.Evals.All(s), func(e *api.Evaluation) bool {
		return sees(e.Namespace) && (job == "" || e.JobID == job) && (status == "" || e.Status == status)
	}), evaluationID, whole[*api.Evaluation])
}

func listEvaluations(c *call) (any, error) {
	if err := checkIDPrefix("eval", c.q.prefix); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.Evaluation, error) {
		found, err := c.evaluations(s)
		return s.Index(state.Evals.Name), found, err
	})
}

func countEvaluations(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, api.EvalCountResponse, error) {
		found, err := c.evaluations(s)
		return s.Index(state.Evals.Name), api.EvalCountResponse{Count: len(found)}, err
	})
}

func (c *call) evaluation(s *state.Snapshot) (*api.Evaluation, error) {
	e := state.Evals.Get(s, c.id())
	if e == nil {
		return nil, notFound("eval")
	}
	return e, need(c.may.AllowNamespaceOp(e.Namespace, acl.ReadJob))
}

func readEvaluation(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.Evaluation, error) {
		e, err := c.evaluation(s)
		if err != nil {
			return s.Index(state.Evals.Name), nil, err
		}
		return e.ModifyIndex, e, nil
	})
}

func evaluationAllocations(c *call) (any, error) {
	stub, err := c.allocationStubs()
	if err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.AllocationListStub, error) {
		index := s.Index(state.Allocs.Name)
		if _, err := c.evaluation(s); err != nil {
			return index, nil, err
		}
		stubs, err := list(c, state.Allocs.By(s, state.ByEval, c.id()), allocationID, stub)
		return index, stubs, err
	})
}
