package chart

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// Pods of both installations are taken where Kubernetes enforces its Pod security standard "restricted"; one that isn't
// so is refused there.
func TestPodsAreRestricted(t *testing.T) {
	const strict = "restricted"
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: strict, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": strict, "pod-security.kubernetes.io/enforce-version": "latest"}}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: strict, Name: "default"}}
	for _, o := range []client.Object{ns, account} { // Kubernetes makes the account, too
		if err := w.Client.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = w.Client.Delete(context.Background(), ns) })
	for name, manifests := range map[string]string{
		"kustomize": must(t, kubectl, "kustomize", root+"/config/default"),
		"helm":      must(t, helm, "template", release, chart, "--namespace", namespace),
	} {
		t.Run(name, func(t *testing.T) {
			pods := podsOf(t, manifests)
			if len(pods) == 0 {
				t.Fatal("it has no Deployment")
			}
			for _, spec := range pods {
				spec.ServiceAccountName, spec.PriorityClassName = account.Name, "" // those of its own aren't there
				p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: strict, Name: "p"}, Spec: spec}
				if err := w.Client.Create(t.Context(), p.DeepCopy(), client.DryRunAll); err != nil {
					t.Error(err)
				}
				p.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = ptr.To(true)
				if err := w.Client.Create(t.Context(), p, client.DryRunAll); err == nil ||
					!strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
					t.Errorf("a Pod that may gain rights: %v", err)
				}
			}
		})
	}
}

// podsOf are the Pods of all Deployments in some manifests.
func podsOf(t *testing.T, manifests string) []corev1.PodSpec {
	t.Helper()
	objects, err := kube.Decode([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	var pods []corev1.PodSpec
	for _, o := range objects {
		if o.GetKind() != "Deployment" {
			continue
		}
		var d appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &d); err != nil {
			t.Fatal(err)
		}
		pods = append(pods, d.Spec.Template.Spec)
	}
	return pods
}
