package sim

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
)

func gcMutants() []Mutation {
	collects := func(name string, f func(*gc.Collector)) Mutation {
		return Mutation{Name: name, Collect: func(_ *process, s *gc.Collector) { f(s) }}
	}
	return []Mutation{
		collects("collect without a grace period", func(s *gc.Collector) { s.Grace = 0 }),
		collects("never collect", func(s *gc.Collector) { s.Interval = 1000 * time.Hour }),
		collects("collect what has a NomadNode", func(s *gc.Collector) { s.Live = nodeless{s.Live} }),
	}
}

// nodeless shows no members.
type nodeless struct{ client.Reader }

// List leaves the members out.
func (r nodeless) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	if _, ok := l.(*v1alpha1.NomadNodeList); ok {
		return nil
	}
	return r.Reader.List(ctx, l, opts...)
}
