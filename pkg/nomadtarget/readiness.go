package nomadtarget

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A verdict is whether the agent may scale a pool now, with the reason.
type verdict struct {
	ready   bool
	reason  string // one word, stable while the situation is the same
	message string
}

// Reasons of a verdict on a pool that was read.
const (
	reasonComplete        = "Complete"
	reasonDeleting        = "Deleting"
	reasonPaused          = "Paused"
	reasonNotObserved     = "NotObserved"
	reasonCreating        = "Creating"
	reasonCreationBlocked = "CreationBlocked"
	reasonJoining         = "Joining"
)

// judge decides if a pool is ready to be scaled. Draining members don't block the agent: it may scale out and in during
// a drain of 15 minutes. Members that are being made or are joining do: the metrics don't include them yet, and a
// target-value strategy would multiply the new count by the load of the old members, again and again. Members that join
// beyond replicas, in a rollout, don't block either, because they replace others that still work.
//
// That wait is bounded. A member that doesn't join within joinTimeout counts as unhealthy instead of joining; and when
// members can't be made at all, the pool is ready so that it can still shrink, while Scale refuses to let it grow.
func judge(pool *v1alpha1.NomadNodePool) verdict {
	status := pool.Status
	made := status.ReadyReplicas + status.UnhealthyReplicas
	why, blocked := growthBlocked(pool)
	switch {
	case !pool.DeletionTimestamp.IsZero():
		return verdict{false, reasonDeleting, "the NomadNodePool is being deleted"}
	case pool.Spec.Paused:
		return verdict{false, reasonPaused, "the NomadNodePool is paused (spec.paused)"}
	case status.ObservedGeneration != pool.Generation:
		return verdict{
			false,
			reasonNotObserved,
			fmt.Sprintf("the controller has not seen generation %d of the NomadNodePool yet; its status is of generation %d",
				pool.Generation, status.ObservedGeneration),
		}
	case status.JoiningReplicas > 0 && made < pool.DesiredReplicas():
		return verdict{false, reasonJoining,
			fmt.Sprintf("%d of %d members are joining Nomad", status.JoiningReplicas, pool.DesiredReplicas())}
	case blocked:
		return verdict{true, reasonCreationBlocked, "members can't be made, so the pool may shrink but not grow: " + why}
	case made < pool.DesiredReplicas():
		return verdict{false, reasonCreating,
			fmt.Sprintf("%d of %d members are not made yet", pool.DesiredReplicas()-made, pool.DesiredReplicas())}
	default:
		return verdict{true, reasonComplete, "all members are made and none is joining"}
	}
}

// growthBlocked reports if no member can be added until somebody mends something, with the text of the condition.
func growthBlocked(pool *v1alpha1.NomadNodePool) (string, bool) {
	is := pool.Status.Scaling
	if is == nil || is.Growth != v1alpha1.GrowthBlocked {
		return "", false
	}
	return inWords(pool, is.BlockedBy), true
}

// inWords is the text of the condition about a cause.
func inWords(pool *v1alpha1.NomadNodePool, by v1alpha1.BlockedCause) string {
	var kind string
	switch by {
	case v1alpha1.BlockedByTemplate, v1alpha1.BlockedByAdmission, v1alpha1.BlockedByQuota:
		kind = v1alpha1.PoolTemplateValid
	case v1alpha1.BlockedByJoins:
		kind = v1alpha1.PoolJoinsHealthy
	default:
		kind = v1alpha1.PoolScalingOut
	}
	if c := meta.FindStatusCondition(pool.Status.Conditions, kind); c != nil {
		return c.Reason + ": " + c.Message
	}
	return string(by)
}
