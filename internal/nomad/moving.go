package nomad

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// isReplaced: the allocation has ended, and another has taken its place, which may still fetch its data from this node.
const isReplaced = `(ClientStatus == "complete" or ClientStatus == "failed") and NextAllocation != ""`

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

// moving returns those allocations of which another one is fetching the data. A client that begins an
// allocation of a group with ephemeral_disk { migrate = true } copies the directory of the one before from that one's node before
// any task starts. If the node goes meanwhile, the data is lost, and the task starts with an empty disk (Nomad:
// client/allocwatcher, client/allocrunner/migrate_hook.go).
func (r *remote) moving(ctx context.Context, former replacedBy) ([]Allocation, error) {
	pending, err := r.pending(ctx, former)
	if err != nil {
		return nil, err
	}
	var out []Allocation
	for _, id := range pending {
		fetches, err := r.fetches(ctx, id, former[id])
		if err != nil {
			return nil, err
		}
		if fetches {
			out = append(out, former[id])
		}
	}
	return out, nil
}

// pending are the IDs of those of the next allocations that haven't begun to run.
func (r *remote) pending(ctx context.Context, next replacedBy) ([]string, error) {
	var ids, out []string
	for id := range next {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, nodesPerRequest) {
		filter := `ClientStatus == "pending" and ID matches "^(` + strings.Join(chunk, "|") + `)$"`
		q := api.QueryOptions{Namespace: api.AllNamespacesNamespace, Filter: filter, Params: brief}
		err := r.query(ctx, "list allocations", q, func(q *api.QueryOptions) error {
			stubs, _, err := r.api.Allocations().List(q)
			if err := errors.Join(err, whole(stubs)); err != nil {
				return err
			}
			for _, s := range stubs {
				if s.NodeID != next[s.ID].NodeID { // on the same node nothing has to be moved off it
					out = append(out, s.ID)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fetches is true if an allocation that hasn't begun to run is to have the data of the one before, and doesn't have it yet.
func (r *remote) fetches(ctx context.Context, id string, former Allocation) (bool, error) {
	var next *api.Allocation
	err := r.query(ctx, "read allocation "+id, api.QueryOptions{Namespace: former.Namespace}, func(q *api.QueryOptions) (err error) {
		next, _, err = r.api.Allocations().Info(id, q)
		if err == nil && (next == nil || next.ID != id) {
			err = errNoResponse
		}
		return err
	})
	if err != nil {
		return false, err
	}
	return next.DesiredStatus == api.AllocDesiredStatusRun && next.ClientStatus == api.AllocClientStatusPending && migrates(next) && !settingUp(next), nil
}

func migrates(a *api.Allocation) bool {
	if a.Job == nil {
		return false
	}
	group := a.Job.LookupTaskGroup(a.TaskGroup)
	return group != nil && group.EphemeralDisk != nil && group.EphemeralDisk.Migrate != nil && *group.EphemeralDisk.Migrate
}

// settingUp is true once a task's directory is built, which comes after the data has been fetched.
func settingUp(a *api.Allocation) bool {
	for _, task := range a.TaskStates {
		if slices.ContainsFunc(task.Events, func(e *api.TaskEvent) bool { return e.Type == api.TaskSetup }) {
			return true
		}
	}
	return false
}
