package sim

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// poolAtRest and nodeAtRest are what the conditions of a pool that is as it was asked for, and of its members, say.
var (
	poolAtRest = map[string]metav1.ConditionStatus{
		v1alpha1.PoolReady: "True", v1alpha1.PoolScalingOut: "False", v1alpha1.PoolScalingIn: "False",
		v1alpha1.PoolNomadReachable: "True", v1alpha1.PoolTemplateValid: "True", v1alpha1.PoolPaused: "False",
		v1alpha1.PoolStalled: "False",
	}
	nodeAtRest = map[string]metav1.ConditionStatus{
		v1alpha1.NodeReady: "True", v1alpha1.NodeJoined: "True", v1alpha1.NodeVMReady: "True",
		v1alpha1.NodeDrainCompleted: "False", v1alpha1.NodeStalled: "False",
	}
)

// reportedRightly checks that what is written of pool and members at the fixpoint is so.
func (w *Environment) reportedRightly() {
	p := w.pool()
	if w.End != Stays || p == nil || w.checks.failed() {
		return
	}
	if why := w.untrueOfPool(p); why != "" {
		w.violate("I8", p.Name, "at the fixpoint the pool's %s", why)
	}
	for _, o := range w.store.all(kindNode) {
		n := o.(*v1alpha1.NomadNode)
		if why := untrueOfNode(n); why != "" {
			w.violate("I8", n.Name, "at the fixpoint the member's %s", why)
		}
	}
}

func (w *Environment) untrueOfPool(p *v1alpha1.NomadNodePool) string {
	st, n := p.Status, p.DesiredReplicas()
	updated := p.Spec.Rollout.Type != v1alpha1.RollingUpdate || st.UpdatedReplicas == n
	switch c := meta.FindStatusCondition(st.Conditions, v1alpha1.PoolUpToDate); {
	case st.Replicas != n || st.ReadyReplicas != n || !updated ||
		st.JoiningReplicas+st.DrainingReplicas+st.UnhealthyReplicas != 0:
		return fmt.Sprintf("numbers are %d, %d ready, %d updated, %d joining, %d draining, %d unhealthy, of %d", st.Replicas,
			st.ReadyReplicas, st.UpdatedReplicas, st.JoiningReplicas, st.DrainingReplicas, st.UnhealthyReplicas, n)
	case c == nil || (c.Status == metav1.ConditionTrue) != (st.UpdatedReplicas == n):
		return fmt.Sprintf("UpToDate is %+v, of %d updated members", c, st.UpdatedReplicas)
	case st.ObservedGeneration != p.Generation:
		return fmt.Sprintf("status is of generation %d, not of %d", st.ObservedGeneration, p.Generation)
	}
	return untrue(st.Conditions, poolAtRest)
}

func untrueOfNode(n *v1alpha1.NomadNode) string {
	st := n.Status
	switch {
	case st.Phase != v1alpha1.NodePhaseReady:
		return "phase is " + string(st.Phase)
	case st.BlockedBy != "" || st.UnhealthyTime != nil || st.DrainResult != "" || st.Nomad.IDTaken:
		return fmt.Sprintf("status says that something is wrong: %+v", st)
	case st.Nomad.Status != nomad.NodeReady:
		return "Nomad node is said to be " + st.Nomad.Status
	}
	return untrue(st.Conditions, nodeAtRest)
}

func untrue(are []metav1.Condition, want map[string]metav1.ConditionStatus) string {
	for kind, status := range want {
		if c := meta.FindStatusCondition(are, kind); c == nil || c.Status != status {
			return fmt.Sprintf("condition %s is %+v", kind, c)
		}
	}
	return ""
}
