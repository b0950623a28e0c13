package httpapi

import (
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// nodeStub is a node as lists show it: no Meta, no strategy and no deadline of its drain (facts/nomad.md §1).
func nodeStub(n *api.Node, resources, os bool) *api.NodeListStub {
	stub := &api.NodeListStub{
		ID: n.ID, Name: n.Name, Datacenter: n.Datacenter, NodeClass: n.NodeClass, NodePool: n.NodePool,
		Version: n.Attributes["nomad.version"], Drain: n.DrainStrategy != nil, SchedulingEligibility: n.SchedulingEligibility,
		Status: n.Status, StatusDescription: n.StatusDescription, Drivers: n.Drivers, LastDrain: n.LastDrain,
		CreateIndex: n.CreateIndex, ModifyIndex: n.ModifyIndex,
	}
	if host, _, err := net.SplitHostPort(n.HTTPAddr); err == nil {
		stub.Address = host
	}
	if resources {
		stub.NodeResources, stub.ReservedResources = n.NodeResources, n.ReservedResources
	}
	if os {
		stub.Attributes = map[string]string{"os.name": n.Attributes["os.name"]}
	}
	return stub
}

// allocationStub is an allocation as lists show it.
func allocationStub(a *api.Allocation, resources, states bool) *api.AllocationListStub {
	stub := &api.AllocationListStub{
		ID: a.ID, EvalID: a.EvalID, Name: a.Name, Namespace: a.Namespace, NodeID: a.NodeID, NodeName: a.NodeName,
		JobID: a.JobID, TaskGroup: a.TaskGroup, DesiredStatus: a.DesiredStatus, DesiredDescription: a.DesiredDescription,
		ClientStatus: a.ClientStatus, ClientDescription: a.ClientDescription, DeploymentStatus: a.DeploymentStatus,
		FollowupEvalID: a.FollowupEvalID, NextAllocation: a.NextAllocation, RescheduleTracker: a.RescheduleTracker,
		PreemptedAllocations: a.PreemptedAllocations, PreemptedByAllocation: a.PreemptedByAllocation,
		CreateIndex: a.CreateIndex, ModifyIndex: a.ModifyIndex, CreateTime: a.CreateTime, ModifyTime: a.ModifyTime,
	}
	if a.Job != nil {
		stub.JobType, stub.JobVersion = value(a.Job.Type), value(a.Job.Version)
	}
	if resources {
		stub.AllocatedResources = a.AllocatedResources
	}
	if states {
		stub.TaskStates = a.TaskStates
	}
	return stub
}

// jobStub is a job as lists show it.
func jobStub(j *api.Job, summary *api.JobSummary, meta bool) *api.JobListStub {
	stub := &api.JobListStub{
		ID: value(
			j.ID), ParentID: value(j.ParentID), Name: value(j.Name), Namespace: value(j.Namespace), Datacenters: j.Datacenters,
		Type: value(
			j.Type), Priority: value(j.Priority), Periodic: j.Periodic != nil, ParameterizedJob: j.ParameterizedJob != nil,
		Stop: value(j.Stop), Status: value(j.Status), StatusDescription: value(j.StatusDescription), JobSummary: summary,
		CreateIndex: value(j.CreateIndex), ModifyIndex: value(j.ModifyIndex), JobModifyIndex: value(j.JobModifyIndex),
		SubmitTime: value(j.SubmitTime),
	}
	if meta {
		stub.Meta = j.Meta
	}
	return stub
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// scalingPolicies are the policies in a job's task groups, each with an ID that stays the same. The real server makes
// one up when the group gets its policy; here it follows from where the policy is.
func scalingPolicies(j *api.Job) []*api.ScalingPolicy {
	var out []*api.ScalingPolicy
	for _, group := range j.TaskGroups {
		if group.Scaling == nil || value(j.Stop) {
			continue
		}
		p := *group.Scaling
		p.Namespace = value(j.Namespace)
		p.Target = map[string]string{"Namespace": p.Namespace, "Job": value(j.ID), "Group": value(group.Name)}
		p.ID = policyID(p.Target)
		p.CreateIndex, p.ModifyIndex = value(j.CreateIndex), value(j.JobModifyIndex)
		if p.Type == "" {
			p.Type = api.ScalingPolicyTypeHorizontal
		}
		if p.Enabled == nil {
			p.Enabled = new(true)
		}
		out = append(out, &p)
	}
	return out
}

func policyStub(p *api.ScalingPolicy) *api.ScalingPolicyListStub {
	return &api.ScalingPolicyListStub{
		ID: p.ID, Enabled: value(p.Enabled), Type: p.Type, Target: p.Target, CreateIndex: p.CreateIndex,
		ModifyIndex: p.ModifyIndex,
	}
}

// sortedBy sorts what comes in no order.
func sortedBy[T any](items []T, key func(T) string) []T {
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return items
}

// scaleStatus is how the groups of a job stand.
func scaleStatus(j *api.Job, allocations []*api.Allocation) *api.JobScaleStatusResponse {
	out := &api.JobScaleStatusResponse{
		JobID: value(
			j.ID), Namespace: value(j.Namespace), JobCreateIndex: value(j.CreateIndex), JobModifyIndex: value(j.JobModifyIndex),
		JobStopped: value(j.Stop), TaskGroups: map[string]api.TaskGroupScaleStatus{},
	}
	for _, group := range j.TaskGroups {
		out.TaskGroups[value(group.Name)] = api.TaskGroupScaleStatus{Desired: value(group.Count)}
	}
	for _, a := range allocations {
		group, known := out.TaskGroups[a.TaskGroup]
		if !known || a.DesiredStatus != api.AllocDesiredStatusRun || state.Terminal(a) {
			continue
		}
		group.Placed++
		if a.ClientStatus == api.AllocClientStatusRunning {
			group.Running++
		}
		if d := a.DeploymentStatus; d != nil && d.Healthy != nil {
			if *d.Healthy {
				group.Healthy++
			} else {
				group.Unhealthy++
			}
		}
		out.TaskGroups[a.TaskGroup] = group
	}
	return out
}

// keysOf are the keys of a map in order.
func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
