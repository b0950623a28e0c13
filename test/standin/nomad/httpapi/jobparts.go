package httpapi

import (
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// jobAllocations are those of this job; with all=true those of an earlier job of that name as well.
func jobAllocations(c *call) (any, error) {
	all, err := c.q.flag("all", false)
	if err != nil {
		return nil, err
	}
	if err := need(c.may.AllowNamespaceOp(c.q.namespace, acl.ReadJob)); err != nil {
		return nil, err
	}
	stub, err := c.allocationStubs()
	if err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.AllocationListStub, error) {
		job := state.Jobs.Get(s, state.Key(c.q.namespace, c.id()))
		allocations := state.AllocsOf(s, c.q.namespace, c.id())
		if !all && job != nil {
			allocations = kept(allocations, func(a *api.Allocation) bool {
				return a.Job == nil || value(a.Job.CreateIndex) == value(job.CreateIndex)
			})
		}
		stubs, err := list(c, allocations, allocationID, stub)
		return s.Index(state.Allocs.Name), stubs, err
	})
}

func jobEvaluations(c *call) (any, error) {
	if err := need(c.may.AllowNamespaceOp(c.q.namespace, acl.ReadJob)); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.Evaluation, error) {
		evaluations := state.Evals.By(s, state.ByJob, state.Key(c.q.namespace, c.id()))
		out, err := list(c, evaluations, evaluationID, whole[*api.Evaluation])
		return s.Index(state.Evals.Name), out, err
	})
}

func jobSummary(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.JobSummary, error) {
		// What counts is in allocations and evaluations.
		index := s.Index(state.Jobs.Name, state.Allocs.Name, state.Evals.Name)
		if _, err := c.job(s, acl.ReadJob); err != nil {
			return index, nil, err
		}
		return index, c.api.server.JobSummary(s, c.q.namespace, c.id()), nil
	})
}

func jobVersions(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.JobVersionsResponse, error) {
		j, err := c.job(s, acl.ReadJob)
		if err != nil {
			return s.Index(state.Jobs.Name), nil, err
		}
		out := &api.JobVersionsResponse{Versions: []*api.Job{}}
		for _, v := range state.JobVersions.By(s, state.ByJob, state.JobKey(j)) {
			out.Versions = append(out.Versions, v.Job)
		}
		slices.SortFunc(out.Versions, func(a, b *api.Job) int { return int(value(b.Version)) - int(value(a.Version)) })
		return value(j.ModifyIndex), out, nil
	})
}

// noDeployments: there are none (nor services), and their lists are empty.
func noDeployments(c *call) (any, error) {
	if err := need(c.q.namespace == api.AllNamespacesNamespace ||
		c.may.AllowNamespaceOp(c.q.namespace, acl.ReadJob)); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []any, error) { return s.Index(state.Jobs.Name), []any{}, nil })
}

// noDeployment is what Nomad answers for a job that has none: null.
func noDeployment(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.Deployment, error) {
		_, err := c.job(s, acl.ReadJob)
		return s.Index(state.Jobs.Name), nil, err
	})
}

func missingDeployment(*call) (any, error) { return nil, notFound("deployment") }

func noSubmission(*call) (any, error) { return nil, notFound("job source") }

// nothing is the list of what there is none of here: volumes, plugins, services. Nomad's own commands ask for them.
func nothing(c *call) (any, error) {
	c.setMeta(1)
	return []any{}, nil
}
