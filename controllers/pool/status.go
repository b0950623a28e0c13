package pool

import (
	"encoding/json"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// setStatus writes what was observed and planned, and what came of it, into the status of the pool's object in memory.
func setStatus(s *scope, plan pool.Plan, out pool.Outcome) {
	st := &s.pool.Status
	c := pool.Count(s.snapshot)
	st.ObservedGeneration = s.pool.Generation
	st.Replicas, st.ReadyReplicas, st.UpdatedReplicas = int32(c.Replicas), int32(c.Ready), int32(c.Updated)
	st.JoiningReplicas, st.DrainingReplicas, st.UnhealthyReplicas = int32(c.Joining), int32(c.Draining), int32(c.Unhealthy)
	st.Selector = v1alpha1.PoolLabel + "=" + s.pool.Name
	st.Revision = s.snapshot.Revision
	st.LastScale, st.Nomad = s.scale, s.nomad
	st.NextOrdinal = max(s.nextOrdinal, out.NextOrdinal)
	st.Joins = joinsStatus(s.snapshot.Joins)
	st.Suspension = suspensionStatus(s.snapshot.Suspension)
	st.Scaling = scalingStatus(pool.GrowthBlockedBy(s.snapshot, plan, out))
	all := pool.Conditions(s.snapshot, plan, out)
	for _, t := range v1alpha1.PoolConditions {
		kube.SetCondition(&st.Conditions, t, all[t], s.pool.Generation, s.snapshot.Now)
	}
}

func scalingStatus(blockedBy v1alpha1.BlockedCause) *v1alpha1.ScalingStatus {
	if blockedBy == "" {
		return &v1alpha1.ScalingStatus{Growth: v1alpha1.GrowthPossible}
	}
	return &v1alpha1.ScalingStatus{Growth: v1alpha1.GrowthBlocked, BlockedBy: blockedBy}
}

func isTrue(p *v1alpha1.NomadNodePool, t string) bool {
	return meta.IsStatusConditionTrue(p.Status.Conditions, t)
}

// lastScale returns the last change of replicas: the one in status, or a new one if replicas have changed since.
func lastScale(p *v1alpha1.NomadNodePool, now time.Time) *v1alpha1.ScaleChange {
	last := p.Status.LastScale
	if last != nil && last.To == p.DesiredReplicas() {
		return last
	}
	is := &v1alpha1.ScaleChange{ScaleTime: metav1.Time{Time: now.Truncate(time.Second)}, From: -1, To: p.DesiredReplicas(),
		Reason: kube.Clamp(scaleReason(p), kube.MaxNote)}
	if last != nil {
		is.From, is.DownTime = last.To, last.DownTime.DeepCopy()
	}
	if is.To < is.From || is.From < 0 {
		is.DownTime = is.ScaleTime.DeepCopy()
	}
	return is
}

// scaleReason returns the words on who changed replicas: the policy of the Nomad Autoscaler, if it was the plugin, or
// else the field manager.
func scaleReason(p *v1alpha1.NomadNodePool) string {
	by := scaledBy(p)
	policy, isPolicy := strings.CutPrefix(by, v1alpha1.AutoscalerFieldManager+"/")
	switch {
	case isPolicy:
		return "asked for by the Nomad Autoscaler's policy " + policy + ", whose reason is in the agent's log"
	case by == v1alpha1.AutoscalerFieldManager:
		return "asked for by the Nomad Autoscaler"
	case by != "" && by != replicasKeeper:
		return "changed by " + by
	case p.Status.LastScale == nil && (p.Spec.Replicas == nil || by == replicasKeeper):
		return "spec.replicas was left out of a new pool, so the controller has filled in spec.minReplicas, or 1"
	case p.DesiredReplicas() == 0:
		// Kubernetes: autoscaling/v1 Scale omits a 0, so nobody owns one that was patched.
		return "set to 0 by kubectl scale or an autoscaler, whose log tells; Kubernetes doesn't record which"
	default:
		return "changed"
	}
}

// scaledBy returns the field manager that owns spec.replicas. There is one, unless several apply the same number: then
// it is the one that used the scale subresource.
func scaledBy(p *v1alpha1.NomadNodePool) string {
	by := ""
	for _, f := range p.ManagedFields {
		if f.Subresource == "status" || !ownsReplicas(f.FieldsV1) {
			continue
		}
		if f.Subresource == "scale" {
			return f.Manager
		}
		by = f.Manager
	}
	return by
}

// ownsReplicas reports whether spec.replicas is among the fields. Labels and Nomad's metadata may have a key of that
// name, too.
func ownsReplicas(fields *metav1.FieldsV1) bool {
	if fields == nil {
		return false
	}
	var owned struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if err := json.Unmarshal(fields.GetRawBytes(), &owned); err != nil {
		return false
	}
	_, owns := owned.Spec["f:replicas"]
	return owns
}
