package pool_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// What is said of a pool in one place isn't denied in another.
func TestNothingSaidOfAPoolContradicts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		c, n := pool.Conditions(s, pool.Decide(s), pool.Outcome{}), pool.Count(s)
		ready, out, in := c[v1alpha1.PoolReady], c[v1alpha1.PoolScalingOut], c[v1alpha1.PoolScalingIn]
		must := func(ok bool, what string) {
			if !ok {
				t.Errorf("%s: %+v, of %d: %+v", what, n, s.Replicas, c)
			}
		}
		if out.Status == metav1.ConditionFalse {
			must(!slices.Contains([]string{v1alpha1.ReasonMembersMissing, v1alpha1.ReasonJoining}, ready.Reason),
				"nobody is missing or joining, and the pool isn't Ready for that")
			must(n.Joining == 0, "nobody is joining, and some are counted")
		}
		if ready.Status == metav1.ConditionTrue {
			must(n.Ready >= s.Replicas, "a pool that is Ready has as many ready members as asked for")
			must(c[v1alpha1.PoolTemplateValid].Status == metav1.ConditionTrue, "a pool that is Ready has a template that works")
		}
		if in.Status == metav1.ConditionFalse {
			must(ready.Reason != v1alpha1.ReasonMembersDraining, "nobody leaves, and the pool says that some do")
		}
		must(ready.Reason != v1alpha1.ReasonMembersNotReady || n.Replicas >= s.Replicas, "none has to be made, and some are missing")
	})
}
