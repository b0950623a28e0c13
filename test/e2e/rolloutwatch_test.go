package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// rolloutPoll is how often a rollout is looked at.
const rolloutPoll = 200 * time.Millisecond

// rolloutWatch looks at a pool, and at a service that runs on it if there is one, all through a rollout.
type rolloutWatch struct {
	pool, service string // service may be empty
	end           context.CancelFunc
	ended         sync.WaitGroup

	// What was seen, for stop.
	polls    int
	fewest   int // allocations that ran at a time
	ready    int // the fewest nodes at a time that took work
	most     int // members that weren't leaving at a time
	upToDate []string
	errs     []error
}

func watchRollout(pool, service string) *rolloutWatch {
	ctx, cancel := context.WithCancel(context.Background())
	r := &rolloutWatch{pool: pool, service: service, end: cancel, fewest: 1000, ready: 1000}
	r.ended.Go(func() { r.run(ctx) })
	return r
}

// stop ends the watch; what it has seen may be read then.
func (r *rolloutWatch) stop(t *testing.T) {
	t.Helper()
	r.end()
	r.ended.Wait()
	for _, err := range r.errs {
		t.Errorf("watching the rollout of %s: %v", r.pool, err)
	}
	t.Logf(
		"at %d looks, at least %d allocations of %s ran, at least %d nodes took work, and at most %d members of %s were wanted; UpToDate was %v",
		r.polls, r.fewest, r.service, r.ready, r.most, r.pool, r.upToDate)
}

func (r *rolloutWatch) run(ctx context.Context) {
	tick := time.NewTicker(rolloutPoll)
	defer tick.Stop()
	for {
		if err := r.poll(ctx); err != nil && ctx.Err() == nil {
			r.errs = append(r.errs, err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *rolloutWatch) poll(ctx context.Context) error {
	running, err := r.running(ctx)
	if err != nil {
		return err
	}
	p, nodes, err := read(ctx, r.pool)
	if err != nil {
		return err
	}
	ready, wanted := 0, 0
	for _, n := range nomadNodes(r.pool) {
		if n.Status == api.NodeStatusReady && n.SchedulingEligibility == api.NodeSchedulingEligible {
			ready++
		}
	}
	for _, n := range nodes {
		if n.Spec.Drain == nil && n.DeletionTimestamp == nil {
			wanted++
		}
	}
	r.polls, r.fewest, r.ready, r.most = r.polls+1, min(r.fewest, running), min(r.ready, ready), max(r.most, wanted)
	if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolUpToDate); c != nil {
		if last := len(r.upToDate) - 1; last < 0 || r.upToDate[last] != c.Reason {
			r.upToDate = append(r.upToDate, c.Reason)
		}
	}
	return nil
}

// running is how many allocations of the service run.
func (r *rolloutWatch) running(ctx context.Context) (int, error) {
	if r.service == "" {
		return 0, nil
	}
	all, _, err := w.Nomad.Jobs().Allocations(r.service, true, (&api.QueryOptions{}).WithContext(ctx))
	n := 0
	for _, a := range all {
		if a.ClientStatus == api.AllocClientStatusRunning {
			n++
		}
	}
	return n, err
}

// rolledOut is satisfied when a pool has n members, all ready and of its present template, and says so.
func rolledOut(n int) check {
	return func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		if err := both(allReady(n), reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonAsExpected))(p, nodes); err != nil {
			return err
		}
		if int(p.Status.UpdatedReplicas) != n {
			return fmt.Errorf("%d members are up to date, not %d", p.Status.UpdatedReplicas, n)
		}
		for _, m := range nodes {
			if m.Spec.Revision != p.Status.Revision || m.Labels[v1alpha1.RevisionLabel] != p.Status.Revision {
				return fmt.Errorf("%s is of revision %s, with label %s", m.Name, m.Spec.Revision, m.Labels[v1alpha1.RevisionLabel])
			}
		}
		return nil
	}
}
