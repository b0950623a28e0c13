package pool

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func owner(manager, subresource, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)}
}

func TestLastScaleNamesWhoOwnsReplicas(t *testing.T) {
	spec, status := `{"f:spec":{"f:replicas":{}}}`, `{"f:status":{"f:replicas":{}}}`
	for name, c := range map[string]struct {
		last   *v1alpha1.ScaleChange
		fields []metav1.ManagedFieldsEntry
		want   v1alpha1.ScaleChange
	}{
		"a new pool": {
			fields: []metav1.ManagedFieldsEntry{owner("kubectl-create", "", spec)},
			want:   v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: -1, To: 3, Reason: "changed by kubectl-create"},
		},
		"a new pool whose replicas the controller has filled in": {
			fields: []metav1.ManagedFieldsEntry{owner(replicasKeeper, "", spec)},
			want: v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: -1, To: 3,
				Reason: "spec.replicas was left out of a new pool, so the controller has filled in spec.minReplicas, or 1"},
		},
		"kubectl scale after an apply": {
			last: &v1alpha1.ScaleChange{To: 1},
			fields: []metav1.ManagedFieldsEntry{owner("kubectl", "scale", spec), owner("nomad-harvester", "status", status),
				owner("helm", "", `{"f:spec":{"f:nomad":{}}}`)},
			want: v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 1, To: 3, Reason: "changed by kubectl"},
		},
		"a policy of the autoscaler": {
			last: &v1alpha1.ScaleChange{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner("nomad-autoscaler/p-1", "scale", spec),
				owner("helm", "", `{"f:spec":{"f:nomad":{}}}`)},
			want: v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3,
				Reason: "asked for by the Nomad Autoscaler's policy p-1, whose reason is in the agent's log"},
		},
		"the autoscaler, which doesn't say for which policy": {
			last:   &v1alpha1.ScaleChange{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner("nomad-autoscaler", "scale", spec)},
			want: v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3,
				Reason: "asked for by the Nomad Autoscaler"},
		},
		"the autoscaler, and Git which asks for the same": {
			last:   &v1alpha1.ScaleChange{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner("nomad-autoscaler/p-1", "scale", spec), owner("flux", "", spec)},
			want: v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3,
				Reason: "asked for by the Nomad Autoscaler's policy p-1, whose reason is in the agent's log"},
		},
		"nobody, and so the controller keeps it": {last: &v1alpha1.ScaleChange{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner(replicasKeeper, "", spec)},
			want:   v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3, Reason: "changed"}},
		"nobody": {last: &v1alpha1.ScaleChange{To: 5},
			want: v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3, Reason: "changed"}},
		"others own what has the name elsewhere": {
			last: &v1alpha1.ScaleChange{To: 5},
			fields: []metav1.ManagedFieldsEntry{
				owner("kubectl", "scale", spec),
				owner("flux", "", `{"f:spec":{"f:nomad":{"f:meta":{"f:replicas":{}}}}}`),
				owner("labeller", "", `{"f:metadata":{"f:labels":{"f:replicas":{}}}}`),
				owner("older", "scale", `{"f:status":{"f:replicas":{}}}`),
			},
			want: v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3, Reason: "changed by kubectl"},
		},
		"nobody, though a label has the name": {
			last:   &v1alpha1.ScaleChange{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner("labeller", "", `{"f:metadata":{"f:labels":{"f:replicas":{}}}}`)},
			want:   v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3, Reason: "changed"},
		},
		"fields that can't be read": {
			last:   &v1alpha1.ScaleChange{To: 5},
			fields: []metav1.ManagedFieldsEntry{owner("odd", "", `{"f:spec":["f:replicas"]}`), owner("helm", "", spec)},
			want:   v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), From: 5, To: 3, Reason: "changed by helm"},
		},
		"no change": {last: &v1alpha1.ScaleChange{From: 1, To: 3, Reason: "old"},
			want: v1alpha1.ScaleChange{From: 1, To: 3, Reason: "old"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.NomadNodePool{Spec: v1alpha1.NomadNodePoolSpec{Replicas: ptr.To[int32](3)},
				Status: v1alpha1.NomadNodePoolStatus{LastScale: c.last}}
			p.ManagedFields = c.fields
			got := *lastScale(p, now)
			got.DownTime = nil
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestReplicasThatNobodyHasSet(t *testing.T) {
	scaled := func(to int32) *v1alpha1.ScaleChange { return &v1alpha1.ScaleChange{To: to} }
	for name, c := range map[string]struct {
		least, most *int32
		last        *v1alpha1.ScaleChange
		want        int32
	}{
		"a new pool":                           {want: 1},
		"a new pool with a least number":       {least: ptr.To[int32](3), want: 3},
		"a new pool that may begin with none":  {least: ptr.To[int32](0), want: 0},
		"a new pool that may have none":        {most: ptr.To[int32](0), want: 0},
		"one that had some":                    {least: ptr.To[int32](0), last: scaled(5), want: 5},
		"one that had none":                    {last: scaled(0), want: 0},
		"one that had less than it may have":   {least: ptr.To[int32](2), last: scaled(0), want: 2},
		"one that had more than it may have":   {most: ptr.To[int32](4), last: scaled(5), want: 4},
		"a new pool, bounded on both its ends": {least: ptr.To[int32](2), most: ptr.To[int32](4), want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.NomadNodePool{Spec: v1alpha1.NomadNodePoolSpec{MinReplicas: c.least, MaxReplicas: c.most},
				Status: v1alpha1.NomadNodePoolStatus{LastScale: c.last}}
			if got := p.DesiredReplicas(); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestLastScaleRemembersWhenReplicasWentDown(t *testing.T) {
	ago, before := metav1.NewTime(now.Add(-time.Minute)), metav1.NewTime(now.Add(-time.Hour))
	is := metav1.NewTime(now)
	for name, c := range map[string]struct {
		last *v1alpha1.ScaleChange
		to   int32
		want *metav1.Time
	}{
		"a new pool, or one whose status is lost": {nil, 3, &is},
		"down":            {&v1alpha1.ScaleChange{ScaleTime: ago, From: 3, To: 4}, 2, &is},
		"to none":         {&v1alpha1.ScaleChange{ScaleTime: ago, From: 3, To: 4}, 0, &is},
		"up":              {&v1alpha1.ScaleChange{ScaleTime: ago, From: 3, To: 4}, 5, nil},
		"down and up":     {&v1alpha1.ScaleChange{ScaleTime: ago, From: 4, To: 2, DownTime: &ago}, 3, &ago},
		"down, up and up": {&v1alpha1.ScaleChange{ScaleTime: ago, From: 2, To: 3, DownTime: &before}, 5, &before},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.NomadNodePool{Spec: v1alpha1.NomadNodePoolSpec{Replicas: ptr.To(c.to)},
				Status: v1alpha1.NomadNodePoolStatus{LastScale: c.last}}
			if got := lastScale(p, now).DownTime; !got.Equal(c.want) {
				t.Errorf("got %s, want %s", got, c.want)
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

// A 0 that was set through the scale subresource has no owner, whoever did it; one in the pool itself has.
func TestLastScaleToZero(t *testing.T) {
	for want, fields := range map[string][]metav1.ManagedFieldsEntry{
		"set to 0 by kubectl scale or an autoscaler, whose log tells; Kubernetes doesn't record which": {owner("helm", "",
			`{"f:spec":{"f:nomad":{}}}`)},
		"changed by helm": {owner("helm", "", `{"f:spec":{"f:replicas":{}}}`)},
	} {
		p := &v1alpha1.NomadNodePool{Spec: v1alpha1.NomadNodePoolSpec{Replicas: ptr.To[int32](0)},
			Status: v1alpha1.NomadNodePoolStatus{LastScale: &v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now), To: 2}}}
		p.ManagedFields = fields
		if got := lastScale(p, now); got.Reason != want {
			t.Errorf("reason is %q, want %q", got.Reason, want)
		}
	}
}
