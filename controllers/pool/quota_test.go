package pool

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// The quota of an image's storage class counts for a member that takes another one's place too, when the pool has as
// many NomadNodes as replicas.
func TestQuotaOfAnImagesClassIsSeenWhenAMemberIsReplaced(t *testing.T) {
	s := newFixture(func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
		p.Spec.Rollout.Type = v1alpha1.OnDelete
		p.Spec.Template = v1alpha1.NodeTemplate{
			CPU: 2, Memory: resource.MustParse("4Gi"),
			Disks:    []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: "default/image"}},
			Networks: []v1alpha1.Network{{Type: v1alpha1.NetworkManagement, Name: "mgmt"}},
		}
	})
	image := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
		"storageClassName": "lh-image", "virtualSize": int64(1 << 30),
		"conditions": []any{map[string]any{"type": "Imported", "status": "True"}},
	}}}
	image.SetGroupVersionKind(preflight.ImageKind)
	image.SetNamespace("default")
	image.SetName("image")
	limit := corev1.ResourceList{"lh-image.storageclass.storage.k8s.io/requests.storage": resource.MustParse("20Gi")}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "full"},
		Status: corev1.ResourceQuotaStatus{Hard: limit, Used: limit}}
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "lh-image"}}
	create := func(objects ...client.Object) {
		for _, o := range objects {
			if err := s.Client.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	}
	create(image, class)
	p, n := s.reconcile(t)
	if !isTrue(p, v1alpha1.PoolTemplateValid) {
		t.Fatalf("the template isn't valid: %+v", p.Status.Conditions)
	}
	create(quota)
	n.Spec.Drain = &v1alpha1.DrainRequest{ID: "d", Reason: v1alpha1.DrainDeleted, RequestTime: metav1.NewTime(now),
		DeadlineTime: metav1.NewTime(now.Add(time.Hour))}
	if err := s.Client.Update(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	p, _ = s.reconcile(t)
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolScalingOut)
	if c == nil || !strings.Contains(c.Message, `ResourceQuota "full"`) {
		t.Errorf("the quota isn't named: %+v", p.Status.Conditions)
	}
}
