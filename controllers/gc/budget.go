package gc

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const (
	// clusterBudget is for how long each Nomad may be asked, and for how long its nodes may be purged, in one run. What is
	// left waits for the next run.
	clusterBudget = 30 * time.Second
	// clustersAtOnce is how many are asked at the same time.
	clustersAtOnce = 32
)

// byCluster is what there is of each cluster, in the order in which they were found.
type byCluster[T any] struct {
	clusters []nomad.Cluster
	of       map[nomad.Cluster][]T
}

func (b *byCluster[T]) add(c nomad.Cluster, what T) {
	if b.of == nil {
		b.of = map[nomad.Cluster][]T{}
	}
	if _, known := b.of[c]; !known {
		b.clusters = append(b.clusters, c)
	}
	b.of[c] = append(b.of[c], what)
}

// inEach does something with what there is of each cluster, at the same time: one that hangs doesn't hold up the
// others, nor does one with an error.
func inEach[T any](ctx context.Context, each func(n, limit int, do func(int) error) error, b byCluster[T],
	do func(context.Context, []T) error) []error {
	var (
		mu   sync.Mutex
		errs []error
	)
	err := each(len(b.clusters), clustersAtOnce, func(i int) error {
		ctx, cancel := context.WithTimeout(ctx, clusterBudget)
		defer cancel()
		if err := do(ctx, b.of[b.clusters[i]]); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}
		return nil
	})
	return append(errs, err)
}

// inParallel calls a function for each number below n, some at a time, and returns all errors. A panic is one of them.
func inParallel(n, limit int, do func(int) error) error {
	errs := make([]error, n)
	var g errgroup.Group
	g.SetLimit(limit)
	for i := range n {
		g.Go(func() error {
			errs[i] = kube.CatchPanic(func() error { return do(i) })
			return nil
		})
	}
	return errors.Join(g.Wait(), errors.Join(errs...))
}
