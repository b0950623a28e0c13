package chart

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// The API server itself judges the Pods by the strictest of its Pod Security standards, and so does who sets that for a
// whole Harvester.
func TestPodsPassTheStandardRestricted(t *testing.T) {
	const strict = "strict"
	createHere(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: strict,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}})
	for name, manifests := range map[string]string{
		"kustomize": must(t, kubectl, "kustomize", root+"/config/default"),
		"chart":     must(t, helm, "template", release, chart, "--namespace", namespace),
	} {
		t.Run(name, func(t *testing.T) {
			var pods []*corev1.Pod
			for _, o := range decoded(t, manifests) {
				switch o.GetKind() {
				case "PriorityClass":
					createHere(t, into(t, o, &schedulingv1.PriorityClass{}))
				case "ServiceAccount":
					account := into(t, o, &corev1.ServiceAccount{})
					account.SetNamespace(strict)
					createHere(t, account)
				case "Deployment":
					template := into(t, o, &appsv1.Deployment{}).Spec.Template
					pods = append(pods, &corev1.Pod{Spec: template.Spec, ObjectMeta: metav1.ObjectMeta{Namespace: strict,
						Name: o.GetName(), Labels: template.Labels}})
				}
			}
			if len(pods) == 0 {
				t.Fatal("it has no Deployment")
			}
			for _, pod := range pods {
				if err := w.Client.Create(t.Context(), pod.DeepCopy(), client.DryRunAll); err != nil {
					t.Errorf("its Pod is refused: %v", err)
				}
				// Is there a judge at all?
				pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = ptr.To(true)
				err := w.Client.Create(t.Context(), pod, client.DryRunAll)
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
					t.Errorf("a Pod that may become more than it is: %v", err)
				}
			}
		})
	}
}

func decoded(t *testing.T, manifests string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := kube.Decode([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func into[T client.Object](t *testing.T, o *unstructured.Unstructured, typed T) T {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, typed, true); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", o.GetName(), err))
	}
	return typed
}

// createHere makes an object that goes with the test.
func createHere(t *testing.T, o client.Object) {
	t.Helper()
	if err := w.Client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Client.Delete(context.Background(), o); err != nil {
			t.Error(err)
		}
	})
}
