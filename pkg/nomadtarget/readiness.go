package nomadtarget

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A verdict says if the agent may scale a pool now, and why, or why not.
type verdict struct {
	ready   bool
	reason  string // one word, stable while the situation is the same
	message string
}

// Reasons of a verdict on a pool that was read.
const (
	reasonSettled         = "Settled"
	reasonDeleting        = "Deleting"
	reasonPaused          = "Paused"
	reasonNotObserved     = "NotObserved"
	reasonCreating        = "Creating"
	reasonCreationBlocked = "CreationBlocked"
	reasonJoining         = "Joining"
)

// judge decides if a pool is ready to be scaled. Members that drain don't hold the agent back: capacity may be asked
// for, or taken back, during a drain of 15 minutes. Members that are being made or join do: the metrics don't know them
// yet, and a target-value strategy would multiply the new count by the load of the old members, again and again. Members
// that join beyond replicas, in a rollout, take the places of others that work still.
//
// That wait is bounded. A member that doesn't join within joinTimeout counts as unhealthy instead of joining; and when
// members can't be made at all, the pool is ready so that it can still shrink, while Scale refuses to let it grow.
func judge(pool *v1alpha1.NomadNodePool) verdict {
	status := pool.Status
	made := status.ReadyReplicas + status.UnhealthyReplicas
	why, blocked := creationBlocked(pool)
	switch {
	case !pool.DeletionTimestamp.IsZero():
		return verdict{false, reasonDeleting, "the NomadNodePool is being deleted"}
	case pool.Spec.Paused:
		return verdict{false, reasonPaused, "the NomadNodePool is paused (spec.paused)"}
	case status.ObservedGeneration != pool.Generation:
		return verdict{false, reasonNotObserved, fmt.Sprintf("the controller has not seen generation %d of the NomadNodePool yet; its status is of generation %d",
			pool.Generation, status.ObservedGeneration)}
	case status.JoiningReplicas > 0 && made < pool.DesiredReplicas():
		return verdict{false, reasonJoining, fmt.Sprintf("%d of %d members are joining Nomad", status.JoiningReplicas, pool.DesiredReplicas())}
	case blocked:
		return verdict{true, reasonCreationBlocked, "members can't be made, so the pool may shrink but not grow: " + why}
	case made < pool.DesiredReplicas():
		return verdict{false, reasonCreating, fmt.Sprintf("%d of %d members are not made yet", pool.DesiredReplicas()-made, pool.DesiredReplicas())}
	default:
		return verdict{true, reasonSettled, "all members are made and none is joining"}
	}
}

// passes are the reasons of ScalingOut under which members come by themselves in bounded time. Under all others, such as a host
// that is full or a token that Nomad doesn't give, they come when somebody has mended what the reason names.
var passes = map[string]bool{v1alpha1.ReasonCreating: true, v1alpha1.ReasonJoining: true, v1alpha1.ReasonBackOff: true}

// creationBlocked reports if the controller says that it can't make members, and in which words.
func creationBlocked(pool *v1alpha1.NomadNodePool) (string, bool) {
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.PoolTemplateValid); c != nil && c.Status == metav1.ConditionFalse {
		return c.Reason + ": " + c.Message, true
	}
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.PoolScalingOut); c != nil && c.Status == metav1.ConditionTrue && !passes[c.Reason] {
		return c.Reason + ": " + c.Message, true
	}
	// Of a template whose members don't join, more would only cost: their VMs run and take no work.
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.PoolRegistrationHealthy); c != nil && c.Reason == v1alpha1.ReasonJoinsFailing {
		return c.Reason + ": " + c.Message, true
	}
	return "", false
}
