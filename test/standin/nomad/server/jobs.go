package server

import "github.com/hashicorp/nomad/api"

// JobUpdate is what a change of a job led to.
type JobUpdate struct {
	Index, JobModifyIndex, EvalCreateIndex uint64
	EvalID                                 string
	Warnings                               string
}

// RegisterJob creates or changes a job. With EnforceIndex JobModifyIndex has to be what the job has.
func (s *Server) RegisterJob(r api.JobRegisterRequest) (JobUpdate, error) { return JobUpdate{}, nil }

// PlanJob says what RegisterJob would do.
func (s *Server) PlanJob(job *api.Job, diff bool) (*api.JobPlanResponse, error) { return nil, nil }

// DeregisterJob stops a job, and forgets it if it's purged.
func (s *Server) DeregisterJob(namespace, id string, purge bool) (JobUpdate, error) {
	return JobUpdate{}, nil
}

// EvaluateJob has a job evaluated.
func (s *Server) EvaluateJob(namespace, id string, force bool) (JobUpdate, error) {
	return JobUpdate{}, nil
}

// ScaleJob changes the count of a group; without a count it only records the message.
func (s *Server) ScaleJob(namespace, id, group string, r api.ScalingRequest) (JobUpdate, error) {
	return JobUpdate{}, nil
}

// ScalingEvents are those of a job, by group.
func (s *Server) ScalingEvents(namespace, id string) map[string][]api.ScalingEvent { return nil }

// StopAlloc stops an allocation, which is replaced.
func (s *Server) StopAlloc(id string) (JobUpdate, error) { return JobUpdate{}, nil }
