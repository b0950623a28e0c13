package pool

import (
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// reportBreaker tells when members are no longer made because they don't join, and when they are again. The condition only lends the words.
func (r *Reconciler) reportBreaker(before *v1alpha1.NomadNodePool, s *scope) {
	switch was, is := joinsOf(before.Status.Registration).BreakerOpen(), s.snapshot.Joins.BreakerOpen(); {
	case is && !was:
		r.Events.joinsFailing(s.pool, meta.FindStatusCondition(s.pool.Status.Conditions, v1alpha1.PoolRegistrationHealthy).Message)
	case was && !is:
		r.Events.joinsTriedAgain(s.pool)
	}
}
