package node

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// observeSuspension finds out if the member's pool judges at present whether it joins, and since when, so that both say
// the same. It is in the pool's status, of which the cache is enough: nothing is taken away because of it.
func (r *Reconciler) observeSuspension(ctx context.Context, s *scope) error {
	if !member.AwaitsJoin(s.observed) {
		return nil
	}
	p := &v1alpha1.NomadNodePool{}
	key := types.NamespacedName{Namespace: s.node.Namespace, Name: s.node.Spec.PoolName}
	found, err := read(ctx, r.Client, key, p)
	if err != nil || !found || string(p.UID) != s.node.Spec.PoolUID || p.Status.Suspension == nil {
		return err
	}
	now, host := p.Status.Suspension, s.node.Status.VM.Host
	s.observed.Suspended = now.NomadUnknown || now.Upgrading || host != "" && slices.Contains(now.Hosts, host)
	s.observed.Resumed = nodestate.TimeOf(now.ResumedTime)
	return nil
}
