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

// isReplaced: the allocation has ended, and another has taken its place, which may still fetch its data from this node.
const isReplaced = `(ClientStatus == "complete" or ClientStatus == "failed") and NextAllocation != ""`

const (
	// jobsPerLook bounds for how many jobs it is asked at once whether their data moves. What isn't asked for yet counts
	// as moving.
	jobsPerLook = 20
	// jobsAtATime are asked for at the same time, so that one answer that doesn't come doesn't hold up the others.
	jobsAtATime = 4
)

// replacedBy are allocations that have ended, by the ID of the next.
type replacedBy map[string]Allocation

// add takes an allocation that has ended, if another has taken its place.
func (r replacedBy) add(s *api.AllocationListStub) {
	if nodeIDPattern.MatchString(s.NextAllocation) {
		a := allocationFromStub(s)
		a.MovingTo = s.NextAllocation
		r[s.NextAllocation] = a
	}
}

// unknown is why it isn't known of some nodes what is left on them.
type unknown map[string]error

// err is one of them, always the same.
func (u unknown) err() error {
	if len(u) == 0 {
		return nil
	}
	return u[slices.Min(slices.Collect(maps.Keys(u)))]
}

// moving returns those allocations of which another one is fetching the data, or may be. A client that begins an
// allocation of a group with ephemeral_disk { migrate = true } copies the directory of the one before from that one's
// node before any task starts. If the node goes meanwhile, the data is lost, and the task starts with an empty disk
// (Nomad: client/allocwatcher, client/allocrunner/migrate_hook.go).
//
// It is asked again and again while a node drains, so each next allocation is asked for until it fetches nothing any
// more, and each job once. What can't be answered leaves unknown what is on the nodes that it concerns, and no more.
func (r *remote) moving(ctx context.Context, former replacedBy) ([]Allocation, unknown) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	failed := unknown{}
	next := r.beginning(ctx, former, failed)
	refused := r.learnJobs(ctx, next)
	var out []Allocation
	for _, b := range next {
		a := former[b.id]
		migrates, known := r.migrations.of(b)
		switch err := refused[b.job]; {
		case known && !migrates:
			r.migrations.settle(b.id)
		case !known && err != nil:
			failed[a.NodeID] = err
		default:
			out = append(out, a)
		}
	}
	return out, failed
}

// beginning are those of the next allocations that haven't begun to run, the newest first.
func (r *remote) beginning(ctx context.Context, former replacedBy, failed unknown) []beginning {
	var (
		out []beginning
		k   kept
	)
	for chunk := range slices.Chunk(r.migrations.unsettled(former), nodesPerRequest) {
		q := api.QueryOptions{
			Namespace: api.AllNamespacesNamespace, Filter: `ID matches "^(` + strings.Join(chunk, "|") + `)$"`, Params: withStates,
		}
		var found []beginning
		err := r.query(ctx, "list the next allocations", q, func(q *api.QueryOptions) error {
			_, err := items(r, "/v1/allocations", q, maxItem, maxItemTokens, func(s *api.AllocationListStub) error {
				switch {
				case !slices.Contains(chunk, s.ID):
				case mayFetch(s, former[s.ID].NodeID):
					found = append(found, beginningFrom(s))
					return k.add(s.Namespace, s.JobID, s.TaskGroup)
				default:
					r.migrations.settle(s.ID)
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

// mayFetch: the next allocation hasn't begun, and if its job wants the data of the one before, it hasn't got it yet.
// It never will be so again: a client doesn't fetch twice, and an allocation that is to stop isn't to run any more.
func mayFetch(s *api.AllocationListStub, from string) bool {
	return s.NodeID != from && // on the same node nothing has to be moved off it
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

// learnJobs asks for the jobs of which it isn't known yet if their data moves, and returns why of some it still isn't.
func (r *remote) learnJobs(ctx context.Context, next []beginning) map[jobKey]error {
	var (
		asked = map[jobKey]bool{}
		mu    sync.Mutex
		errs  = map[jobKey]error{}
		group errgroup.Group
	)
	group.SetLimit(jobsAtATime)
	for _, b := range next { // the newest allocation of a job stands for the older ones
		if _, known := r.migrations.of(b); known || asked[b.job] || len(asked) == jobsPerLook {
			continue
		}
		asked[b.job] = true
		group.Go(func() error {
			err := r.learnJob(ctx, b)
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

// withJob is what is read of an allocation with its job.
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
	return r.query(
		ctx,
		"read allocation "+b.id,
		api.QueryOptions{Namespace: b.job.namespace},
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
		},
	)
}
