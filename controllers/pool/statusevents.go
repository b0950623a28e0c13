package pool

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// emitEvents emits the Events of what the written status shows for the first time.
func (r *Reconciler) emitEvents(before *v1alpha1.NomadNodePool, s *scope) {
	r.emitBreaker(before, s)
	if is, anew := becameFalse(before, s.pool, v1alpha1.PoolTemplateValid); anew {
		r.Events.blocked(s.pool, is.Message)
	}
	if is, anew := becameFalse(before, s.pool, v1alpha1.PoolNomadReachable); anew {
		r.Events.nomadLost(s.pool, is.Message)
	}
	if is, anew := becameFalse(before, s.pool, v1alpha1.PoolUpToDate); anew &&
		is.Reason == v1alpha1.ReasonCertificateExpires {
		r.Events.certificateExpires(s.pool, is.Message)
	}
	if meta.IsStatusConditionFalse(before.Status.Conditions, v1alpha1.PoolNomadReachable) &&
		isTrue(s.pool, v1alpha1.PoolNomadReachable) {
		r.Events.nomadBack(s.pool)
	}
}

// becameFalse returns a condition that is False; anew is true if it wasn't before, or for another reason.
func becameFalse(before, after *v1alpha1.NomadNodePool, t string) (is metav1.Condition, anew bool) {
	now, was := meta.FindStatusCondition(after.Status.Conditions, t), meta.FindStatusCondition(before.Status.Conditions, t)
	if now == nil || now.Status != metav1.ConditionFalse {
		return metav1.Condition{}, false
	}
	return *now, was == nil || was.Status != now.Status || was.Reason != now.Reason
}

// emitBreaker emits an Event when members are no longer made because they don't join, and when they are made again. The
// condition only lends its message.
func (r *Reconciler) emitBreaker(before *v1alpha1.NomadNodePool, s *scope) {
	switch was, is := joinsOf(before.Status.Joins).BreakerOpen(), s.snapshot.Joins.BreakerOpen(); {
	case is && !was:
		r.Events.joinsFailing(s.pool, meta.FindStatusCondition(s.pool.Status.Conditions, v1alpha1.PoolJoinsHealthy).Message)
	case was && !is:
		r.Events.joinsTriedAgain(s.pool)
	}
}
