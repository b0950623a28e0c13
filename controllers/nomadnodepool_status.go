package controllers

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// setPoolStatus writes what was observed and decided into the status of the pool's object in memory.
func setPoolStatus(s *poolScope, plan pool.Plan) {
	st := &s.pool.Status
	c := pool.Count(s.snapshot)
	st.ObservedGeneration = s.pool.Generation
	st.Replicas, st.ReadyReplicas, st.UpdatedReplicas = int32(c.Replicas), int32(c.Ready), int32(c.Updated)
	st.JoiningReplicas, st.DrainingReplicas, st.UnhealthyReplicas = int32(c.Joining), int32(c.Draining), int32(c.Unhealthy)
	st.Selector = v1alpha1.PoolLabel + "=" + s.pool.Name
	st.Revision = s.snapshot.Revision
	st.LastScale = s.scale
	st.NextOrdinal = s.nextOrdinal
	st.Registration = registrationStatus(s.snapshot.Joins)
	all := pool.Conditions(s.snapshot, plan)
	for _, t := range v1alpha1.PoolConditions {
		v := all[t]
		status := metav1.ConditionFalse
		switch {
		case v.Unknown:
			status = metav1.ConditionUnknown
		case v.True:
			status = metav1.ConditionTrue
		}
		setCondition(&st.Conditions, metav1.Condition{
			Type: t, Status: status, Reason: v.Reason, Message: v.Message,
			ObservedGeneration: s.pool.Generation, LastTransitionTime: metav1.NewTime(s.snapshot.Now),
		})
	}
}

func isTrue(p *v1alpha1.NomadNodePool, t string) bool {
	return meta.IsStatusConditionTrue(p.Status.Conditions, t)
}

// lastScale is the record of the last change of replicas: the one in status, or a new one if replicas have changed since.
func lastScale(p *v1alpha1.NomadNodePool, now time.Time) *v1alpha1.ScaleRecord {
	last := p.Status.LastScale
	if last != nil && last.To == p.Spec.Replicas {
		return last
	}
	from := int32(-1)
	if last != nil {
		from = last.To
	}
	return &v1alpha1.ScaleRecord{Time: metav1.Time{Time: now.Truncate(time.Second)}, From: from, To: p.Spec.Replicas, Reason: clamp(scaleReason(p), maxNote)}
}

// scaleReason says who changed replicas: what the autoscaler plugin left, if it was the plugin, or else the field manager
// that owns spec.replicas since.
func scaleReason(p *v1alpha1.NomadNodePool) string {
	by := ""
	for _, f := range p.ManagedFields {
		if f.Subresource != "status" && f.FieldsV1 != nil && strings.Contains(f.FieldsV1.GetRawString(), `"f:replicas"`) {
			by = f.Manager
		}
	}
	switch reason := p.Annotations[v1alpha1.ScaleReasonAnnotation]; {
	case by == "" && explainedSince(p, reason):
		return reason
	case by == "":
		return "changed"
	case by == v1alpha1.AutoscalerFieldManager && reason != "":
		return reason
	default:
		return "changed by " + by
	}
}

// explainedSince is true when the plugin has explained this number of replicas since the last change. It stands in for
// the owner of spec.replicas, which nobody is after a scaling to 0 (Kubernetes: autoscaling/v1 Scale omits a 0).
func explainedSince(p *v1alpha1.NomadNodePool, reason string) bool {
	if !strings.HasPrefix(reason, fmt.Sprintf("%d replicas ", p.Spec.Replicas)) {
		return false
	}
	for _, f := range p.ManagedFields {
		if f.Manager == v1alpha1.AutoscalerFieldManager && f.Subresource == "" && f.Time != nil {
			return p.Status.LastScale == nil || !f.Time.Before(&p.Status.LastScale.Time)
		}
	}
	return false
}
