package sim

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers"
)

func sweepMutants() []Mutation {
	sweeps := func(name string, f func(*controllers.Sweeper)) Mutation {
		return Mutation{Name: name, Sweep: func(_ *process, s *controllers.Sweeper) { f(s) }}
	}
	return []Mutation{
		sweeps("sweep without a grace", func(s *controllers.Sweeper) { s.Grace = 0 }),
		sweeps("never sweep", func(s *controllers.Sweeper) { s.Interval = 1000 * time.Hour }),
		sweeps("sweep what has a record", func(s *controllers.Sweeper) { s.Live = recordless{s.Live} }),
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
