package httpapi

import (
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var jobRoutes = map[string]methods{
	"/v1/jobs":                 {get: listJobs, put: registerJob},
	"/v1/validate/job":         {put: validateJob},
	"/v1/job/{id}":             {get: readJob, put: registerJob, del: deregisterJob},
	"/v1/job/{id}/allocations": {get: jobAllocations},
	"/v1/job/{id}/evaluations": {get: jobEvaluations},
	"/v1/job/{id}/summary":     {get: jobSummary},
	"/v1/job/{id}/versions":    {get: jobVersions},
	"/v1/job/{id}/plan":        {put: planJob},
	"/v1/job/{id}/evaluate":    {put: evaluateJob},
	"/v1/job/{id}/deployments": {get: noDeployments},
	"/v1/job/{id}/deployment":  {get: noDeployment},
	"/v1/job/{id}/scale":       {get: readScale, put: scaleJob},
	"/v1/deployments":          {get: noDeployments},
	"/v1/job/{id}/services":    {get: noDeployments},
	"/v1/deployment/{id}":      {get: missingDeployment},
	"/v1/job/{id}/submission":  {get: noSubmission},
	"/v1/services":             {get: nothing},
	"/v1/volumes":              {get: nothing},
	"/v1/plugins":              {get: nothing},
	"/v1/vars":                 {get: nothing},
}

func listJobs(c *call) (any, error) {
	meta, err := c.q.flag("meta", false)
	if err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, []*api.JobListStub, error) {
		index := s.Index(state.Jobs.Name)
		sees, err := c.seesNamespace(s, acl.ListJobs)
		if err != nil {
			return index, nil, err
		}
		jobs := kept(state.Jobs.All(s), func(j *api.Job) bool { return sees(value(j.Namespace)) })
		stubs, err := list(c, jobs, func(j *api.Job) string { return value(j.ID) }, func(j *api.Job) *api.JobListStub {
			return jobStub(j, c.api.server.JobSummary(s, value(j.Namespace), value(j.ID)), meta)
		})
		return index, stubs, err
	})
}

// job finds the job that the path names.
func (c *call) job(s *state.Snapshot, capability string) (*api.Job, error) {
	if err := need(c.may.AllowNamespaceOp(c.q.namespace, capability)); err != nil {
		return nil, err
	}
	j := state.Jobs.Get(s, state.Key(c.q.namespace, c.id()))
	if j == nil {
		return nil, notFound("job")
	}
	return j, nil
}

func readJob(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.Job, error) {
		j, err := c.job(s, acl.ReadJob)
		if err != nil {
			return s.Index(state.Jobs.Name), nil, err
		}
		return value(j.ModifyIndex), j, nil
	})
}

// submitted is the job of a request, in the namespace of the request unless it names one.
func (c *call) submitted(job *api.Job) error {
	if job == nil {
		return badRequest("Job must be specified")
	}
	if value(job.ID) == "" {
		return badRequest("Job ID hasn't been provided")
	}
	if path := c.id(); path != "" && path != *job.ID {
		return badRequest("Job ID does not match name")
	}
	if value(job.Namespace) == "" {
		job.Namespace = &c.q.namespace
	}
	if c.q.namespace == api.AllNamespacesNamespace || strings.Contains(*job.Namespace, "*") {
		return badRequest("wildcard namespace not allowed")
	}
	return need(c.may.AllowNamespaceOp(*job.Namespace, acl.SubmitJob))
}

func registerJob(c *call) (any, error) {
	var in api.JobRegisterRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := c.submitted(in.Job); err != nil {
		return nil, err
	}
	update, err := c.api.server.RegisterJob(in)
	return c.jobUpdate(update, err)
}

func (c *call) jobUpdate(update server.JobUpdate, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	c.setMeta(update.Index)
	return api.JobRegisterResponse{
		EvalID: update.EvalID, EvalCreateIndex: update.EvalCreateIndex, JobModifyIndex: update.JobModifyIndex,
		Warnings:  update.Warnings,
		QueryMeta: api.QueryMeta{LastIndex: update.Index, KnownLeader: true},
	}, nil
}

func validateJob(c *call) (any, error) {
	var in api.JobValidateRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := c.submitted(in.Job); err != nil {
		return nil, err
	}
	out := api.JobValidateResponse{DriverConfigValidated: true}
	if _, err := c.api.server.PlanJob(in.Job, false); err != nil {
		out.Error, out.ValidationErrors = err.Error(), []string{err.Error()}
	}
	return out, nil
}

func planJob(c *call) (any, error) {
	var in api.JobPlanRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := c.submitted(in.Job); err != nil {
		return nil, err
	}
	return c.api.server.PlanJob(in.Job, in.Diff)
}

func deregisterJob(c *call) (any, error) {
	if err := need(c.may.AllowNamespaceOp(c.q.namespace, acl.SubmitJob)); err != nil {
		return nil, err
	}
	purge, err := c.q.flag("purge", false)
	if err != nil {
		return nil, err
	}
	update, err := c.api.server.DeregisterJob(c.q.namespace, c.id(), purge)
	return c.jobUpdate(update, err)
}

func evaluateJob(c *call) (any, error) {
	if _, err := c.job(c.api.server.Store().Read(), acl.ReadJob); err != nil {
		return nil, err
	}
	var in api.JobEvaluateRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	update, err := c.api.server.EvaluateJob(c.q.namespace, c.id(), in.EvalOptions.ForceReschedule)
	return c.jobUpdate(update, err)
}
