package sim

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
)

func sweepMutants() []Mutation {
	sweeps := func(name string, f func(*gc.Collector)) Mutation {
		return Mutation{Name: name, Sweep: func(_ *process, s *gc.Collector) { f(s) }}
	}
	return []Mutation{
		sweeps("sweep without a grace", func(s *gc.Collector) { s.Grace = 0 }),
		sweeps("never sweep", func(s *gc.Collector) { s.Interval = 1000 * time.Hour }),
		sweeps("sweep what has a record", func(s *gc.Collector) { s.Live = recordless{s.Live} }),
	}
}

// recordless shows no members.
type recordless struct{ client.Reader }

// List leaves the members out.
func (r recordless) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	if _, ok := l.(*v1alpha1.NomadNodeList); ok {
		return nil
	}
	return r.Reader.List(ctx, l, opts...)
}
