package nomadtarget

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A controller of an earlier version writes no status.scaling, but conditions only. Of its pools these tell.

// passes are the reasons of ScalingOut under which members come by themselves in bounded time. Under all others, such
// as a host that is full or a token that Nomad doesn't give, they come when somebody has mended what the reason
// names.
var passes = map[string]bool{v1alpha1.ReasonCreating: true, v1alpha1.ReasonJoining: true, v1alpha1.ReasonBackOff: true}

func formerlyBlocked(pool *v1alpha1.NomadNodePool) (string, bool) {
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.PoolTemplateValid); c != nil &&
		c.Status == metav1.ConditionFalse {
		return c.Reason + ": " + c.Message, true
	}
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.PoolScalingOut); c != nil &&
		c.Status == metav1.ConditionTrue &&
		!passes[c.Reason] {
		return c.Reason + ": " + c.Message, true
	}
	// Of a template whose members don't join, more would only cost: their VMs run and take no work.
	if c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.PoolJoinsHealthy); c != nil &&
		c.Reason == v1alpha1.ReasonJoinsFailing {
		return c.Reason + ": " + c.Message, true
	}
	return "", false
}
