package nomad

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
)

// isReplaced: the allocation has ended, and another has taken its place and may still fetch its data from this node.
const isReplaced = `(ClientStatus == "complete" or ClientStatus == "failed") and NextAllocation != ""`

const (
	// jobsPerPoll bounds how many jobs are read in one poll to learn whether their data moves. Until a job is read its
	// data counts as moving.
	jobsPerPoll = 20
	// jobsAtATime is how many of these requests run at the same time, so that one without an answer doesn't delay the
	// others.
	jobsAtATime = 4
)

// replacedBy are allocations that have ended, by the ID of the next.
type replacedBy map[string]Allocation

// add takes an allocation that has ended, if another has taken its place, and returns whether it has taken it.
func (r replacedBy) add(s *api.AllocationListStub) bool {
	if !nodeIDPattern.MatchString(s.NextAllocation) {
		return false
	}
	a := allocationFromStub(s)
	a.MovingTo = s.NextAllocation
	r[s.NextAllocation] = a
	return true
}

// unknown has the nodes whose allocations aren't known, with the reason.
type unknown map[string]error

// err returns one of the reasons, always that of the first node ID.
func (u unknown) err() error {
	if len(u) == 0 {
		return nil
	}
	return u[slices.Min(slices.Collect(maps.Keys(u)))]
}

// moving returns the former allocations whose data another allocation is fetching, or may be fetching. A client that
// begins an allocation of a group with ephemeral_disk { migrate = true } copies the directory of the one before from
// that one's node before any task starts. If the node is removed meanwhile, the data is lost, and the task starts with
// an empty disk (Nomad: client/allocwatcher, client/allocrunner/migrate_hook.go).
//
// It runs again and again while a node drains. So it asks for each next allocation only until that fetches nothing any
// more, and for each job once. If a request fails, the allocations of the nodes that it concerns are unknown, and only
// of those. What it keeps is counted by h.
func (r *remote) moving(ctx context.Context, former replacedBy, h *holding) ([]Allocation, unknown) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	failed := unknown{}
	next := r.beginning(ctx, former, failed, h)
	refused := r.learnJobs(ctx, next)
	var out []Allocation
	for _, b := range next {
		a := former[b.id]
		migrates, known := r.migrations.of(b)
		switch err := refused[b.job]; {
		case known && !migrates:
			r.migrations.finish(b.id)
		case !known && err != nil:
			failed[a.NodeID] = err
		default:
			out = append(out, a)
		}
	}
	return out, failed
}

// beginning returns the next allocations that haven't begun to run, the newest first.
func (r *remote) beginning(ctx context.Context, former replacedBy, failed unknown, h *holding) []beginning {
	var out []beginning
	for chunk := range slices.Chunk(r.migrations.unfinished(former), nodesPerRequest) {
		q := api.QueryOptions{
			Namespace: api.AllNamespacesNamespace, Params: withStates,
			Filter: `ID matches "^(` + strings.Join(chunk, "|") + `)$"`,
		}
		var found []beginning
		err := r.query(ctx, "list the next allocations", q, func(q *api.QueryOptions) error {
			_, err := items(r, "/v1/allocations", q, maxItem, maxItemTokens, func(s *api.AllocationListStub) error {
				switch {
				case !slices.Contains(chunk, s.ID):
				case mayFetch(s, former[s.ID].NodeID):
					found = append(found, beginningFrom(s))
					return h.add(s.Namespace, s.JobID, s.TaskGroup)
				default:
					r.migrations.finish(s.ID)
				}
				return nil
			})
			return err
		})
		if err != nil {
			for _, id := range chunk {
				failed[former[id].NodeID] = err
			}
			continue
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, func(a, b beginning) int {
		return cmp.Or(cmp.Compare(b.created, a.created), strings.Compare(a.id, b.id))
	})
	return out
}

// mayFetch returns whether the next allocation hasn't begun, so that it may still need the data of the one before. Once
// false it stays false: a client doesn't fetch twice, and an allocation that is to stop never runs again.
func mayFetch(s *api.AllocationListStub, from string) bool {
	return s.NodeID != from && // on the same node the data stays where it is
		s.ClientStatus == api.AllocClientStatusPending && s.DesiredStatus == api.AllocDesiredStatusRun && !settingUp(s)
}

// settingUp is true once a task's directory is built, which comes after the data has been fetched.
func settingUp(s *api.AllocationListStub) bool {
	for _, task := range s.TaskStates {
		if task != nil &&
			slices.ContainsFunc(task.Events, func(e *api.TaskEvent) bool { return e != nil && e.Type == api.TaskSetup }) {
			return true
		}
	}
	return false
}

// learnJobs reads the jobs of which it isn't known yet whether their data moves, and returns the errors by job.
func (r *remote) learnJobs(ctx context.Context, next []beginning) map[jobKey]error {
	var (
		asked = map[jobKey]bool{}
		mu    sync.Mutex
		errs  = map[jobKey]error{}
		group errgroup.Group
	)
	group.SetLimit(jobsAtATime)
	for _, b := range next { // the newest allocation of a job stands for the older ones
		if _, known := r.migrations.of(b); known || asked[b.job] || len(asked) == jobsPerPoll {
			continue
		}
		asked[b.job] = true
		group.Go(func() error {
			err := catchPanic(func() error { return r.learnJob(ctx, b) }) // here nobody else would
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs[b.job] = err
			}
			return nil
		})
	}
	_ = group.Wait() // each error is of one job
	return errs
}

// withJob has the fields that are read of an allocation and its job.
type withJob struct {
	ID  string
	Job struct {
		Version, CreateIndex uint64
		TaskGroups           []struct {
			Name          string
			EphemeralDisk struct{ Migrate bool }
		}
	}
}

// learnJob asks for the job that an allocation has.
func (r *remote) learnJob(ctx context.Context, b beginning) error {
	return r.query(ctx, "read allocation "+b.id, api.QueryOptions{Namespace: b.job.namespace},
		func(q *api.QueryOptions) error {
			var a withJob
			if _, err := r.api.Raw().Query("/v1/allocation/"+b.id, &a, q); err != nil {
				return err
			}
			if a.ID != b.id {
				return errNoResponse
			}
			migrates := false
			for _, g := range a.Job.TaskGroups {
				migrates = migrates || g.Name == b.job.group && g.EphemeralDisk.Migrate
			}
			b.job.version = a.Job.Version // the job may have been changed in place meanwhile
			r.migrations.learn(b, migrates, a.Job.CreateIndex)
			return nil
		})
}
