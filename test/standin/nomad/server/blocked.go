package server

import (
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// Blocked counts what waits for capacity, for nomad.nomad.blocked_evals.*.
type Blocked struct {
	Evals, Escaped int
	// Jobs are the evaluations of each job; CPU and MemoryMB what its queued allocations ask for.
	Jobs map[string]BlockedJob
}

// BlockedJob is what a job waits for.
type BlockedJob struct {
	Namespace, Job, Datacenter, NodePool string
	CPU, MemoryMB                        int
}

// Blocked is what waits for capacity.
func (s *Server) Blocked() Blocked {
	snapshot := s.store.Read()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := Blocked{Jobs: map[string]BlockedJob{}}
	for key, waits := range s.unplaced {
		job := state.Jobs.Get(snapshot, key)
		if job == nil {
			continue
		}
		j := BlockedJob{
			Namespace: state.Value(job.Namespace), Job: state.Value(job.ID),
			Datacenter: strings.Join(job.Datacenters, ","), NodePool: state.Value(job.NodePool),
		}
		for _, g := range job.TaskGroups {
			n := waits.queued[state.Value(g.Name)]
			for _, t := range g.Tasks {
				j.CPU += n * state.Value(t.Resources.CPU)
				j.MemoryMB += n * state.Value(t.Resources.MemoryMB)
			}
		}
		b.Evals++
		b.Jobs[key] = j
	}
	return b
}

// JobSummary counts the allocations of a job, and what is queued.
func (s *Server) JobSummary(r state.Reader, namespace, id string) *api.JobSummary {
	job := state.Jobs.Get(r, state.Key(namespace, id))
	if job == nil {
		return nil
	}
	out := &api.JobSummary{
		JobID: id, Namespace: namespace, Summary: map[string]api.TaskGroupSummary{}, Children: &api.JobChildrenSummary{},
		CreateIndex: state.Value(job.CreateIndex), ModifyIndex: state.Value(job.ModifyIndex),
	}
	s.mu.Lock()
	waits := s.unplaced[state.JobKey(job)]
	s.mu.Unlock()
	for _, g := range job.TaskGroups {
		out.Summary[state.Value(g.Name)] = api.TaskGroupSummary{Queued: waits.queued[state.Value(g.Name)]}
	}
	for _, a := range state.AllocsOf(r, namespace, id) {
		sum := out.Summary[a.TaskGroup]
		switch a.ClientStatus {
		case state.ClientPending:
			sum.Starting++
		case state.ClientRunning:
			sum.Running++
		case state.ClientComplete:
			sum.Complete++
		case state.ClientFailed:
			sum.Failed++
		case state.ClientLost:
			sum.Lost++
		case state.ClientUnknown:
			sum.Unknown++
		}
		out.Summary[a.TaskGroup] = sum
		out.ModifyIndex = max(out.ModifyIndex, a.ModifyIndex)
	}
	return out
}

// gcInterval is how often what has ended is looked for.
const gcInterval = time.Minute

func (s *Server) collect(now time.Time) {
	if now.Sub(s.work.gc) < gcInterval {
		return
	}
	s.work.gc = now
	if err := s.collectGarbage(now, s.config.NodeGCThreshold, s.config.JobGCThreshold,
		s.config.EvalGCThreshold); err != nil {
		s.log.Error("collecting garbage", "error", err)
	}
}

// CollectGarbage removes what has ended, however young (PUT /v1/system/gc).
func (s *Server) CollectGarbage() error { return s.collectGarbage(time.Now(), 0, 0, 0) }

func (s *Server) collectGarbage(now time.Time, nodes, jobs, evals time.Duration) error {
	_, err := s.store.Write(func(tx *state.Txn) error {
		for _, j := range state.Jobs.All(tx) {
			old := now.Sub(time.Unix(0, state.Value(j.SubmitTime))) >= jobs
			if state.Value(j.Status) == state.JobDead && old && !anyLive(tx, j) {
				state.Jobs.Delete(tx, state.JobKey(j))
			}
		}
		collectEnded(tx, now, evals)
		for _, n := range state.Nodes.All(tx) {
			if n.Status == state.NodeDown && now.Sub(time.Unix(n.StatusUpdatedAt, 0)) >= nodes && !busy(tx, n.ID) {
				state.Nodes.Delete(tx, n.ID)
			}
		}
		return nil
	})
	return err
}

// collectEnded removes allocations and evaluations that are over.
func collectEnded(tx *state.Txn, now time.Time, after time.Duration) {
	for _, a := range state.Allocs.All(tx) {
		gone := state.Jobs.Get(tx, state.Key(a.Namespace, a.JobID)) == nil || state.ServerTerminal(a)
		if state.Terminal(a) && gone && now.Sub(time.Unix(0, a.ModifyTime)) >= after {
			state.Allocs.Delete(tx, a.ID)
		}
	}
	for _, e := range state.Evals.All(tx) {
		if e.Status == state.EvalComplete && now.Sub(time.Unix(0, e.ModifyTime)) >= after {
			state.Evals.Delete(tx, e.ID)
		}
	}
}

func busy(tx *state.Txn, node string) bool {
	for _, a := range state.Allocs.By(tx, state.ByNode, node) {
		if !state.Terminal(a) {
			return true
		}
	}
	return false
}
