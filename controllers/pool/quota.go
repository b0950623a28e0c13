package pool

import (
	"context"

	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// +kubebuilder:rbac:groups="",resources=resourcequotas,verbs=list,roleName=nomad-harvester-controller-namespaces

// observeQuota reads what the namespace's quotas leave, if members are to be made.
func (r *Reconciler) observeQuota(ctx context.Context, s *scope) error {
	if !pool.NeedsQuota(s.snapshot) {
		return nil
	}
	capacity, err := preflight.ReadCapacity(ctx, r.Live, s.pool.Namespace, &s.pool.Spec.Template, s.facts)
	if err != nil || capacity == nil {
		return err
	}
	s.snapshot.Quota = &pool.Quota{Capacity: capacity.Members, Problem: capacity.Problem}
	return nil
}
