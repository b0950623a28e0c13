package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func owner(manager, subresource, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
}

func TestLastScaleNamesWhoOwnsReplicas(t *testing.T) {
	spec, status := `{"f:spec":{"f:replicas":{}}}`, `{"f:status":{"f:replicas":{}}}`
	for name, c := range map[string]struct {
		last   *v1alpha1.ScaleRecord
		fields []metav1.ManagedFieldsEntry
		reason string
		want   v1alpha1.ScaleRecord
	}{
		"a new pool": {
			fields: []metav1.ManagedFieldsEntry{owner("kubectl-create", "", spec)},
			want:   v1alpha1.ScaleRecord{Time: metav1.NewTime(now), From: -1, To: 3, Reason: "changed by kubectl-create"},
		},
		"kubectl scale after an apply": {
			last:   &v1alpha1.ScaleRecord{To: 1},
			fields: []metav1.ManagedFieldsEntry{owner("kubectl", "scale", spec), owner("nomad-harvester", "status", status), owner("helm", "", `{"f:spec":{"f:nomad":{}}}`)},
			want:   v1alpha1.ScaleRecord{Time: metav1.NewTime(now), From: 1, To: 3, Reason: "changed by kubectl"},
		},
		"the autoscaler": {
			last:   &v1alpha1.ScaleRecord{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner(v1alpha1.AutoscalerFieldManager, "scale", spec)},
			reason: "3 replicas asked for by policy p",
			want:   v1alpha1.ScaleRecord{Time: metav1.NewTime(now), From: 5, To: 3, Reason: "3 replicas asked for by policy p"},
		},
		"somebody else after the autoscaler": {
			last:   &v1alpha1.ScaleRecord{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner("kubectl", "scale", spec)},
			reason: "3 replicas asked for by policy p",
			want:   v1alpha1.ScaleRecord{Time: metav1.NewTime(now), From: 5, To: 3, Reason: "changed by kubectl"},
		},
		"no change": {
			last: &v1alpha1.ScaleRecord{From: 1, To: 3, Reason: "old"},
			want: v1alpha1.ScaleRecord{From: 1, To: 3, Reason: "old"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.NomadNodePool{Spec: v1alpha1.NomadNodePoolSpec{Replicas: 3}, Status: v1alpha1.NomadNodePoolStatus{LastScale: c.last}}
			p.ManagedFields = c.fields
			if c.reason != "" {
				p.Annotations = map[string]string{v1alpha1.ScaleReasonAnnotation: c.reason}
			}
			if got := lastScale(p, now); *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestJudgeTakesOldAnswersForUnknown(t *testing.T) {
	fine := nomad.Health{OK: true, Reason: v1alpha1.ReasonReachable}
	for name, c := range map[string]struct {
		view   nomad.View
		known  bool
		reason string
	}{
		"never asked":         {nomad.View{}, false, v1alpha1.ReasonUnknown},
		"fresh":               {nomad.View{Taken: now.Add(-viewLimit), Health: fine}, true, v1alpha1.ReasonReachable},
		"old":                 {nomad.View{Taken: now.Add(-viewLimit - 1), Health: fine}, false, v1alpha1.ReasonUnreachable},
		"fresh but not whole": {nomad.View{Taken: now, Health: nomad.Health{Reason: v1alpha1.ReasonTokenLacksReadJob, Message: "m"}}, false, v1alpha1.ReasonTokenLacksReadJob},
	} {
		t.Run(name, func(t *testing.T) {
			known, reason, message := judge(c.view, now)
			if known != c.known || reason != c.reason || message == "" {
				t.Errorf("got %v, %s, %q", known, reason, message)
			}
		})
	}
}

func TestLoadIsTheMeanOfCPUAndMemory(t *testing.T) {
	node := nomad.Node{CPU: 1000, MemoryMB: 1000}
	if got := load(nomad.Usage{CPU: 500, MemoryMB: 100}, node); got != 0.3 {
		t.Errorf("got %v, want 0.3", got)
	}
	if got := load(nomad.Usage{CPU: 500}, nomad.Node{}); got != 0 {
		t.Errorf("a node of unknown size has the load %v", got)
	}
}

func TestLastScaleToZeroHasNoOwnerButAReason(t *testing.T) {
	const reason = "0 replicas asked for by policy p"
	last := metav1.NewTime(now.Add(-time.Minute))
	for name, c := range map[string]struct {
		explained time.Time
		reason    string
		want      string
	}{
		"explained just now":         {now, reason, reason},
		"explained before":           {now.Add(-time.Hour), reason, "changed"},
		"another number explained":   {now, "2 replicas asked for by policy p", "changed"},
		"never explained, by nobody": {now, "", "changed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.NomadNodePool{Status: v1alpha1.NomadNodePoolStatus{LastScale: &v1alpha1.ScaleRecord{Time: last, To: 2}}}
			p.Annotations = map[string]string{v1alpha1.ScaleReasonAnnotation: c.reason}
			entry := owner(v1alpha1.AutoscalerFieldManager, "", `{"f:metadata":{"f:annotations":{}}}`)
			entry.Time = &metav1.Time{Time: c.explained}
			p.ManagedFields = []metav1.ManagedFieldsEntry{entry}
			if got := lastScale(p, now); got.Reason != c.want {
				t.Errorf("reason is %q, want %q", got.Reason, c.want)
			}
		})
	}
}
