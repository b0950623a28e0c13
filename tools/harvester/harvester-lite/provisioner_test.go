package main

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

func TestFakeProvisionerBindsClaimsOfKnownClasses(t *testing.T) {
	claim := func(class *string, phase corev1.PersistentVolumeClaimPhase) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "disk"},
			Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: class},
			Status:     corev1.PersistentVolumeClaimStatus{Phase: phase},
		}
	}
	for name, test := range map[string]struct {
		claim   *corev1.PersistentVolumeClaim
		want    corev1.PersistentVolumeClaimPhase
		wantErr error
	}{
		"known class":   {claim(ptr.To("longhorn"), corev1.ClaimPending), corev1.ClaimBound, nil},
		"unknown class": {claim(ptr.To("missing"), corev1.ClaimPending), corev1.ClaimPending, errUnknownClass},
		"no class":      {claim(nil, corev1.ClaimPending), corev1.ClaimPending, nil},
		"lost":          {claim(ptr.To("longhorn"), corev1.ClaimLost), corev1.ClaimLost, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "longhorn"}}
			client := fake.NewClientset([]runtime.Object{class, test.claim}...)
			p, factory, err := newFakeProvisioner(client)
			if err != nil {
				t.Fatal(err)
			}
			factory.Start(ctx.Done())
			factory.WaitForCacheSync(ctx.Done())

			if err := p.bind(ctx, cache.MetaObjectToName(test.claim)); err != test.wantErr {
				t.Errorf("bind: %v, want %v", err, test.wantErr)
			}
			got, err := client.CoreV1().PersistentVolumeClaims("default").Get(ctx, "disk", metav1.GetOptions{})
			if err != nil || got.Status.Phase != test.want {
				t.Errorf("phase %q, %v; want %q", got.Status.Phase, err, test.want)
			}
		})
	}
}
