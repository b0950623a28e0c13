package server

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/scheduler"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// unplaced is what a job waits for.
type unplaced struct {
	queued  map[string]int
	metrics map[string]*api.AllocationMetric
	evalID  string
}

// schedule evaluates what is due.
func (s *Server) schedule(now time.Time) {
	jobs, all := s.work.take(now)
	if all {
		for _, j := range state.Jobs.All(s.store.Read()) {
			if s.wantsNodes(j) {
				if _, known := jobs[state.JobKey(j)]; !known {
					jobs[state.JobKey(j)] = "node-update"
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(jobs)) {
		if err := s.evaluate(key, jobs[key], now); err != nil {
			s.log.Error("evaluating", "job", key, "error", err)
		}
	}
}

// wantsNodes reports if a change of a node may mean something to a job: nearly always, and to look is cheap.
func (s *Server) wantsNodes(j *api.Job) bool {
	return !state.Value(j.Stop) || state.Value(j.Status) != state.JobDead
}

func (s *Server) evaluate(key, trigger string, now time.Time) error {
	namespace, id, _ := strings.Cut(key, "\x00")
	_, err := s.store.Write(func(tx *state.Txn) error {
		job := state.Jobs.Get(tx, key)
		nodes := map[string]*state.Node{}
		for _, n := range state.Nodes.All(tx) {
			nodes[n.ID] = n
		}
		evalID := newID()
		plan := scheduler.Decide(scheduler.Input{
			Job: job, Allocs: state.AllocsOf(tx, namespace, id), Nodes: nodes, Now: now, NewID: newID, EvalID: evalID,
			On: func(nodeID string) []*api.Allocation { return state.Allocs.By(tx, state.ByNode, nodeID) },
		})
		s.waitFor(key, plan)
		apply(tx, plan, now)
		changed := s.noteQueued(tx, key, job, plan, evalID, trigger, now) || !plan.Empty()
		if job != nil && s.setJobStatus(tx, job) || changed {
			return nil
		}
		return errNothing
	})
	return quietly(err)
}

func (s *Server) waitFor(key string, plan *scheduler.Plan) {
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	if plan.Wake.IsZero() {
		delete(s.work.due, key)
	} else {
		s.work.due[key] = plan.Wake
	}
}

// apply puts a plan into the state.
func apply(tx *state.Txn, plan *scheduler.Plan, now time.Time) {
	for _, a := range append(slices.Clone(plan.Changed), plan.New...) {
		a.AllocModifyIndex, a.ModifyTime = tx.Index, now.UnixNano()
		state.Allocs.Put(tx, a)
	}
}

// noteQueued keeps a blocked evaluation as long as something has no place, and a complete one where something was
// placed.
func (s *Server) noteQueued(tx *state.Txn, key string, job *api.Job, plan *scheduler.Plan, evalID, trigger string,
	now time.Time) bool {
	s.mu.Lock()
	before, was := s.unplaced[key]
	if len(plan.Queued) > 0 {
		s.unplaced[key] = unplaced{plan.Queued, plan.Unplaced, before.evalID}
	} else {
		delete(s.unplaced, key)
	}
	s.mu.Unlock()
	if job == nil {
		return false
	}
	if !plan.Empty() {
		state.Evals.Put(tx, evaluation(evalID, job, trigger, state.EvalComplete, now))
	}
	switch {
	case len(plan.Queued) == 0 && was && before.evalID != "":
		if e := state.Evals.Get(tx, before.evalID); e != nil {
			c := *e
			c.Status, c.ModifyTime = state.EvalComplete, now.UnixNano()
			state.Evals.Put(tx, &c)
			return true
		}
	case len(plan.Queued) > 0 && (!was || !maps.Equal(before.queued, plan.Queued) || before.evalID == ""):
		e := evaluation(newID(), job, "queued-allocs", state.EvalBlocked, now)
		if before.evalID != "" {
			e.ID = before.evalID
		}
		e.QueuedAllocations, e.FailedTGAllocs = plan.Queued, plan.Unplaced
		e.StatusDescription = "created to place remaining allocations"
		state.Evals.Put(tx, e)
		s.mu.Lock()
		s.unplaced[key] = unplaced{plan.Queued, plan.Unplaced, e.ID}
		s.mu.Unlock()
		return true
	}
	return false
}

func evaluation(id string, job *api.Job, trigger, status string, now time.Time) *api.Evaluation {
	return &api.Evaluation{
		ID: id, Priority: state.Value(job.Priority), Type: state.Value(job.Type), TriggeredBy: trigger,
		Namespace: state.Value(job.Namespace),
		JobID:     state.Value(job.ID), JobModifyIndex: state.Value(job.JobModifyIndex), Status: status,
		CreateTime: now.UnixNano(), ModifyTime: now.UnixNano(),
	}
}

// setJobStatus says how the job stands: running while something of it does, dead when it was stopped or has done its
// work.
func (s *Server) setJobStatus(tx *state.Txn, job *api.Job) bool {
	status := state.JobPending
	switch live := anyLive(tx, job); {
	case state.Value(job.Stop):
		status = state.JobDead
	case live:
		status = state.JobRunning
	case state.Value(job.Type) == state.TypeSystem, s.isQueued(state.JobKey(job)):
		if state.Value(job.Type) == state.TypeSystem {
			status = state.JobRunning
		}
	case len(state.AllocsOf(tx, state.Value(job.Namespace), state.Value(job.ID))) > 0 &&
		state.Value(job.Type) != state.TypeService:
		status = state.JobDead
	}
	if state.Value(job.Status) == status {
		return false
	}
	c := *job
	c.Status = &status
	state.Jobs.Put(tx, &c)
	return true
}

func (s *Server) isQueued(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.unplaced[key].queued) > 0
}

func anyLive(tx *state.Txn, job *api.Job) bool {
	for _, a := range state.AllocsOf(tx, state.Value(job.Namespace), state.Value(job.ID)) {
		if !state.Terminal(a) {
			return true
		}
	}
	return false
}
