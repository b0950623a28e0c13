package pool

import (
	"context"

	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// +kubebuilder:rbac:groups="",resources=resourcequotas,verbs=list

// observeQuota reads what the namespace's quotas leave, if members are to be made.
func (r *Reconciler) observeQuota(ctx context.Context, s *scope) error {
	if !pool.NeedsQuota(s.snapshot) {
		return nil
	}
	room, err := preflight.ReadCapacity(ctx, r.Live, s.pool.Namespace, &s.pool.Spec.Template, s.facts)
	if err != nil || room == nil {
		return err
	}
	s.snapshot.Quota = &pool.Quota{Capacity: room.Members, Problem: room.Problem}
	return nil
}
