package server

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/drainer"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// tick is how often clocks are looked at.
const tick = 100 * time.Millisecond

// work is what the loop has to do.
type work struct {
	mu   sync.Mutex
	jobs map[string]string // keys of jobs to be evaluated, with what triggered it
	all  bool              // nodes have changed: whatever waits for a node is evaluated
	wake chan struct{}
	due  map[string]time.Time // jobs to be evaluated later
	gc   time.Time
}

func (w *work) init() {
	w.jobs, w.due, w.wake = map[string]string{}, map[string]time.Time{}, make(chan struct{}, 1)
}

// evaluate has a job evaluated soon.
func (w *work) evaluate(key, trigger string) {
	w.mu.Lock()
	if _, known := w.jobs[key]; !known {
		w.jobs[key] = trigger
	}
	w.mu.Unlock()
	w.rouse()
}

// capacityChanged has all jobs evaluated that may want a node.
func (w *work) capacityChanged() {
	w.mu.Lock()
	w.all = true
	w.mu.Unlock()
	w.rouse()
}

func (w *work) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *work) take(now time.Time) (jobs map[string]string, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, at := range w.due {
		if !now.Before(at) {
			w.jobs[key] = "alloc-failure"
			delete(w.due, key)
		}
	}
	jobs, all = w.jobs, w.all
	w.jobs, w.all = map[string]string{}, false
	return jobs, all
}

// loop does all that the leader does by itself.
func (s *Server) loop(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.work.wake:
		case <-ticker.C:
		}
		now := time.Now()
		if s.Writable() != nil {
			continue
		}
		s.expire(now)
		s.expireLocks(now)
		s.schedule(now)
		s.drain(now)
		s.collect(now)
	}
}

// committed hears of each change, in order.
func (s *Server) committed(index uint64, changed []any) {
	s.publish(index, changed)
	for _, object := range changed {
		switch o := object.(type) {
		case *api.Allocation:
			if state.Terminal(o) {
				s.mu.Lock()
				s.drainer.Ended(o, time.Now())
				s.mu.Unlock()
			}
			if state.Terminal(o) || o.ClientStatus == state.ClientUnknown || migrates(o) {
				s.work.evaluate(state.Key(o.Namespace, o.JobID), "alloc-update")
			}
			if state.Terminal(o) {
				s.work.capacityChanged()
			}
		case *state.Node:
			s.work.capacityChanged()
		}
	}
	s.work.rouse()
}

func migrates(a *api.Allocation) bool {
	return a.DesiredTransition.Migrate != nil && *a.DesiredTransition.Migrate
}

// drainView is what the drainer looks at.
type drainView struct{ snapshot *state.Snapshot }

// Draining are the nodes with a drain strategy.
func (v drainView) Draining() []*state.Node {
	var nodes []*state.Node
	for _, n := range state.Nodes.All(v.snapshot) {
		if n.DrainStrategy != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// OnNode are the allocations on a node.
func (v drainView) OnNode(id string) []*api.Allocation {
	return state.Allocs.By(v.snapshot, state.ByNode, id)
}

// OfJob are the allocations of a job.
func (v drainView) OfJob(namespace, id string) []*api.Allocation {
	return state.AllocsOf(v.snapshot, namespace, id)
}

// drain does what the drainer decides.
func (s *Server) drain(now time.Time) {
	s.mu.Lock()
	actions := s.drainer.Decide(drainView{s.store.Read()}, now)
	s.mu.Unlock()
	if len(actions.Migrate)+len(actions.Complete) == 0 {
		return
	}
	_, err := s.store.Write(func(tx *state.Txn) error {
		for _, id := range actions.Migrate {
			s.migrate(tx, id, now, true)
		}
		for _, done := range actions.Complete {
			s.complete(tx, done, now)
		}
		return nil
	})
	if err != nil {
		s.log.Error("draining", "error", err)
	}
}

// migrate has an allocation stopped. What takes its place is decided by its job; but what a drain stops of a batch job
// isn't replaced.
func (s *Server) migrate(tx *state.Txn, id string, now time.Time, drain bool) {
	a := state.Allocs.Get(tx, id)
	if a == nil || state.Terminal(a) || state.ServerTerminal(a) {
		return
	}
	c := *a
	yes := true
	c.DesiredTransition.Migrate = &yes
	if drain && a.Job != nil && state.Value(a.Job.Type) == state.TypeBatch {
		c.DesiredTransition.MigrateDisablePlacement = &yes
	}
	c.ModifyTime = now.UnixNano()
	c.AllocModifyIndex = tx.Index
	state.Allocs.Put(tx, &c)
}

// complete ends a drain. The node stays ineligible, and what was drained last may still run (facts/nomad.md §2).
func (s *Server) complete(tx *state.Txn, done drainer.Done, now time.Time) {
	n := state.Nodes.Get(tx, done.NodeID)
	if n == nil || n.DrainStrategy == nil {
		return
	}
	c := n.Copy()
	c.DrainStrategy, c.Drain = nil, false
	if c.LastDrain != nil {
		last := *c.LastDrain
		last.Status, last.UpdatedAt = api.DrainStatusComplete, now.UTC().Truncate(time.Second)
		c.LastDrain = &last
	}
	event := nodeEvent("Drain", "Node drain complete", now)
	if done.DeadlineReached {
		event.Details = map[string]string{"deadline_reached": "true"}
	}
	c.Events = appendEvent(c.Events, event, tx.Index)
	state.Nodes.Put(tx, c)
}
