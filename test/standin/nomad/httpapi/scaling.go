package httpapi

import (
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var scalingRoutes = map[string]methods{
	"/v1/scaling/policies":    {get: listPolicies},
	"/v1/scaling/policy/{id}": {get: readPolicy},
}

// seesScaling: either of two capabilities will do.
func (c *call) seesScaling(s *state.Snapshot, capability string) (func(string) bool, error) {
	if sees, err := c.seesNamespace(s, acl.ReadJob); err == nil {
		return sees, nil
	}
	return c.seesNamespace(s, capability)
}

// listPolicies is what the autoscaler's policy source waits on: the index moves with the jobs.
func listPolicies(c *call) (any, error) {
	job, kind := c.q.values.Get("job"), c.q.values.Get("type")
	return read(c, func(s *state.Snapshot) (uint64, []*api.ScalingPolicyListStub, error) {
		index := s.Index(state.Jobs.Name)
		sees, err := c.seesScaling(s, acl.ListScalingPolicies)
		if err != nil {
			return index, nil, err
		}
		var policies []*api.ScalingPolicy
		for _, j := range state.Jobs.All(s) {
			if sees(value(j.Namespace)) && (job == "" || value(j.ID) == job) {
				policies = append(
					policies,
					kept(scalingPolicies(j), func(p *api.ScalingPolicy) bool { return kind == "" || p.Type == kind })...)
			}
		}
		id := func(p *api.ScalingPolicy) string { return p.ID }
		stubs, err := list(c, sortedBy(policies, id), id, policyStub)
		return index, stubs, err
	})
}

func readPolicy(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.ScalingPolicy, error) {
		for _, j := range state.Jobs.All(s) {
			for _, p := range scalingPolicies(j) {
				if p.ID != c.id() {
					continue
				}
				allowed := c.may.AllowNamespaceOp(p.Namespace, acl.ReadScalingPolicy) ||
					c.may.AllowNamespaceOp(p.Namespace, acl.ReadJob)
				return p.ModifyIndex, p, need(allowed)
			}
		}
		return s.Index(state.Jobs.Name), nil, notFound("policy")
	})
}

func readScale(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.JobScaleStatusResponse, error) {
		index := s.Index(state.Jobs.Name, state.Allocs.Name)
		j, err := c.job(s, acl.ReadJob)
		if err != nil && c.may.AllowNamespaceOp(c.q.namespace, acl.ReadJobScaling) {
			j, err = c.job(s, acl.ReadJobScaling)
		}
		if err != nil {
			return index, nil, err
		}
		status := scaleStatus(j, state.AllocsOf(s, c.q.namespace, c.id()))
		for group, events := range c.api.server.ScalingEvents(c.q.namespace, c.id()) {
			if g, known := status.TaskGroups[group]; known {
				g.Events = events
				status.TaskGroups[group] = g
			}
		}
		return index, status, nil
	})
}

func scaleJob(c *call) (any, error) {
	allowed := c.may.AllowNamespaceOp(c.q.namespace, acl.ScaleJob) || c.may.AllowNamespaceOp(c.q.namespace, acl.SubmitJob)
	if err := need(allowed); err != nil {
		return nil, err
	}
	var in api.ScalingRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	group := in.Target["Group"]
	if group == "" {
		return nil, badRequest("missing task group name for scaling action")
	}
	update, err := c.api.server.ScaleJob(c.q.namespace, c.id(), group, in)
	return c.jobUpdate(update, err)
}
