package server

import (
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// JobUpdate is what a change of a job led to.
type JobUpdate struct {
	Index, JobModifyIndex, EvalCreateIndex uint64
	EvalID                                 string
	Warnings                               string
}

// RegisterJob creates or changes a job. With EnforceIndex JobModifyIndex has to be what the job has.
func (s *Server) RegisterJob(r api.JobRegisterRequest) (JobUpdate, error) {
	job, err := s.canonical(r.Job)
	if err != nil {
		return JobUpdate{}, err
	}
	update, now := JobUpdate{EvalID: newID()}, time.Now()
	update.Index, err = s.write(func(tx *state.Txn) error {
		if err := s.admitJob(tx, job, r); err != nil {
			return err
		}
		store(tx, job, now)
		state.Evals.Put(tx, evaluation(update.EvalID, job, "job-register", state.EvalComplete, now))
		return nil
	})
	if err != nil {
		return JobUpdate{}, err
	}
	update.JobModifyIndex, update.EvalCreateIndex = update.Index, update.Index
	s.work.evaluate(state.JobKey(job), "job-register")
	return update, nil
}

// canonical is a copy of the job with all defaults, as the server stores it.
func (s *Server) canonical(in *api.Job) (*api.Job, error) {
	if in == nil || in.ID == nil || *in.ID == "" {
		return nil, Errorf(http.StatusBadRequest, "Job ID hasn't been provided")
	}
	job := *in
	job.Canonicalize()
	if job.Region == nil || *job.Region == "" || *job.Region == api.GlobalRegion {
		job.Region = &s.config.Region
	}
	if state.Value(job.NodePool) == "" {
		job.NodePool = new(api.NodePoolDefault)
	}
	if len(job.Datacenters) == 0 {
		job.Datacenters = []string{"*"}
	}
	if len(job.TaskGroups) == 0 {
		return nil, invalid("1 error occurred:\n\t* Missing job task groups\n\n")
	}
	for _, g := range job.TaskGroups {
		if len(g.Tasks) == 0 {
			return nil, invalid(
				"1 error occurred:\n\t* Task group %s validation failed: 1 error occurred:\n\t* Missing tasks for task group\n\n\n\n",
				state.Value(g.Name))
		}
		if err := logsFit(g); err != nil {
			return nil, err
		}
	}
	return &job, nil
}

// logsFit refuses a group with a task whose logs may fill its disk (seen of 1.11.3). Each task is looked at alone.
func logsFit(g *api.TaskGroup) error {
	if g.EphemeralDisk == nil {
		return nil
	}
	disk := state.Value(g.EphemeralDisk.SizeMB)
	for _, t := range g.Tasks {
		if t.LogConfig == nil || state.Value(t.LogConfig.Disabled) {
			continue
		}
		if logs := state.Value(t.LogConfig.MaxFiles) * state.Value(t.LogConfig.MaxFileSizeMB); logs >= disk {
			return invalid(
				"1 error occurred:\n\t* Task group %s validation failed: 1 error occurred:\n\t* Task %s validation failed: 1 error occurred:\n\t* 1 error occurred:\n\t* log storage (%d MB) must be less than requested disk capacity (%d MB)\n\n\n\n\n\n\n\n",
				state.Value(g.Name), t.Name, logs, disk)
		}
	}
	return nil
}

func (s *Server) admitJob(tx *state.Txn, job *api.Job, r api.JobRegisterRequest) error {
	if state.Namespaces.Get(tx, state.Value(job.Namespace)) == nil {
		return invalid("job %q is in nonexistent namespace %q", state.Value(job.ID), state.Value(job.Namespace))
	}
	if pool := state.Value(job.NodePool); state.NodePools.Get(tx, pool) == nil {
		return invalid("1 error occurred:\n\t* job %q is in nonexistent node pool %q\n\n", state.Value(job.ID), pool)
	}
	old := state.Jobs.Get(tx, state.JobKey(job))
	switch {
	case !r.EnforceIndex:
	case old == nil && r.JobModifyIndex != 0:
		return invalid("%s: job does not exist", api.RegisterEnforceIndexErrPrefix)
	case old != nil && r.JobModifyIndex != state.Value(old.JobModifyIndex):
		return invalid("%s: job exists with conflicting job modify index: %d", api.RegisterEnforceIndexErrPrefix,
			state.Value(old.JobModifyIndex))
	}
	if old != nil && state.Value(old.Type) != state.Value(job.Type) {
		return invalid("cannot update job from type %q to %q", state.Value(old.Type), state.Value(job.Type))
	}
	return nil
}

// store puts a job, as the next version of the one that is there.
func store(tx *state.Txn, job *api.Job, now time.Time) {
	old := state.Jobs.Get(tx, state.JobKey(job))
	version := uint64(0)
	job.Status, job.CreateIndex = new(state.JobPending), new(tx.Index)
	if old != nil {
		version = state.Value(old.Version)
		job.CreateIndex, job.Status = old.CreateIndex, old.Status
		if state.Value(old.Stop) && !state.Value(job.Stop) {
			job.Status = new(state.JobPending)
		}
		if !same(old, job) {
			version++
		}
	}
	job.Version, job.JobModifyIndex, job.SubmitTime = &version, new(tx.Index), new(now.UnixNano())
	if job.Stop == nil {
		job.Stop = new(false)
	}
	state.Jobs.Put(tx, job)
	kept := *job
	state.JobVersions.Put(tx, &state.JobVersion{Job: &kept})
}

// same reports if a job was registered again as it was.
func same(a, b *api.Job) bool {
	x, y := *a, *b
	for _, j := range []*api.Job{&x, &y} {
		j.Version, j.JobModifyIndex, j.ModifyIndex, j.CreateIndex, j.SubmitTime, j.Status, j.StatusDescription = nil, nil,
			nil, nil, nil, nil, nil
		if j.Stop == nil {
			j.Stop = new(false)
		}
	}
	return reflect.DeepEqual(x, y)
}

// PlanJob says what RegisterJob would do.
func (s *Server) PlanJob(job *api.Job, _ bool) (*api.JobPlanResponse, error) {
	c, err := s.canonical(job)
	if err != nil {
		return nil, err
	}
	kind := "Added"
	index := uint64(0)
	if old := state.Jobs.Get(s.store.Read(), state.JobKey(c)); old != nil {
		kind, index = "Edited", state.Value(old.JobModifyIndex)
		if same(old, c) {
			kind = "None"
		}
	}
	return &api.JobPlanResponse{JobModifyIndex: index, Diff: &api.JobDiff{Type: kind, ID: state.Value(c.ID)},
		Annotations: &api.PlanAnnotations{}}, nil
}

// DeregisterJob stops a job, and forgets it if it's purged.
func (s *Server) DeregisterJob(namespace, id string, purge bool) (JobUpdate, error) {
	key, update := state.Key(namespace, id), JobUpdate{EvalID: newID()}
	now := time.Now()
	var err error
	update.Index, err = s.write(func(tx *state.Txn) error {
		job := state.Jobs.Get(tx, key)
		if job == nil {
			return errNothing // what isn't there is stopped
		}
		state.Evals.Put(tx, evaluation(update.EvalID, job, "job-deregister", state.EvalComplete, now))
		if purge {
			state.Jobs.Delete(tx, key)
			for _, v := range state.JobVersions.By(tx, state.ByJob, key) {
				state.JobVersions.Delete(tx, fmt.Sprintf("%s\x00%020d", key, state.Value(v.Version)))
			}
			return nil
		}
		stopped := *job
		stopped.Stop = new(true)
		store(tx, &stopped, now)
		return nil
	})
	if err != nil && quietly(err) == nil {
		return JobUpdate{Index: s.store.Read().Index(state.Jobs.Name)}, nil
	}
	update.JobModifyIndex, update.EvalCreateIndex = update.Index, update.Index
	s.work.evaluate(key, "job-deregister")
	return update, err
}

// EvaluateJob has a job evaluated.
func (s *Server) EvaluateJob(namespace, id string, _ bool) (JobUpdate, error) {
	job := state.Jobs.Get(s.store.Read(), state.Key(namespace, id))
	if job == nil {
		return JobUpdate{}, ErrJobNotFound
	}
	update, now := JobUpdate{EvalID: newID(), JobModifyIndex: state.Value(job.JobModifyIndex)}, time.Now()
	var err error
	update.Index, err = s.write(func(tx *state.Txn) error {
		state.Evals.Put(tx, evaluation(update.EvalID, job, "job-register", state.EvalComplete, now))
		return nil
	})
	update.EvalCreateIndex = update.Index
	s.work.evaluate(state.JobKey(job), "job-register")
	return update, err
}

// ScaleJob changes the count of a group; without a count it only records the message.
func (s *Server) ScaleJob(namespace, id, group string, r api.ScalingRequest) (JobUpdate, error) {
	job := state.Jobs.Get(s.store.Read(), state.Key(namespace, id))
	if job == nil {
		return JobUpdate{}, Errorf(http.StatusNotFound, "job %q not found", id)
	}
	c := *job
	c.TaskGroups = nil
	found := false
	for _, g := range job.TaskGroups {
		if state.Value(g.Name) == group {
			scaled := *g
			if r.Count != nil {
				count := int(*r.Count)
				scaled.Count = &count
			}
			g, found = &scaled, true
		}
		c.TaskGroups = append(c.TaskGroups, g)
	}
	if !found {
		return JobUpdate{}, Errorf(http.StatusBadRequest, "task group %q specified for scaling does not exist in job", group)
	}
	if r.Count == nil {
		return JobUpdate{Index: state.Value(job.ModifyIndex), JobModifyIndex: state.Value(job.JobModifyIndex)}, nil
	}
	return s.RegisterJob(api.JobRegisterRequest{Job: &c})
}

// ScalingEvents are those of a job, by group. None are kept: nobody here reads them.
func (s *Server) ScalingEvents(string, string) map[string][]api.ScalingEvent { return nil }

// StopAlloc stops an allocation, which is replaced.
func (s *Server) StopAlloc(id string) (JobUpdate, error) {
	update, now := JobUpdate{EvalID: newID()}, time.Now()
	var err error
	update.Index, err = s.write(func(tx *state.Txn) error {
		a := state.Allocs.Get(tx, id)
		if a == nil {
			return Errorf(http.StatusNotFound, "alloc not found")
		}
		s.migrate(tx, id, now, false)
		return nil
	})
	update.EvalCreateIndex = update.Index
	return update, err
}
