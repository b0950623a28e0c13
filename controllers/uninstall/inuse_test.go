package uninstall

import (
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// The installation is guarded from the first pool or member on, and until the last has gone.
func TestInstallationIsGuardedWhileThereAreMembers(t *testing.T) {
	pool := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
	member := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "q-1"}}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "nomad-harvester-uninstall"}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "nomad-harvester-uninstall"}}
	c := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(policy, binding).Build()
	u := &Guard{Client: c, Live: c}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	look := func(guarded bool) {
		t.Helper()
		_, err := u.reconcile(t.Context(), ctrl.Request{})
		must(err)
		for _, o := range []client.Object{policy, binding} { // the policy of members' VMs isn't there, and isn't missed
			must(c.Get(t.Context(), client.ObjectKeyFromObject(o), o))
			if held := slices.Contains(o.GetFinalizers(), Finalizer); held != guarded {
				t.Errorf("%T is held: %v, want %v", o, held, guarded)
			}
		}
		if armed := binding.Spec.MatchResources == nil; armed != guarded {
			t.Errorf("the binding has %+v, want it armed: %v", binding.Spec.MatchResources, guarded)
		}
	}
	look(false)
	must(c.Create(t.Context(), pool))
	look(true)
	must(c.Create(t.Context(), member))
	must(c.Delete(t.Context(), pool))
	look(true)

	// Another process finds it as it is, and takes the guard away once nothing is left.
	u = &Guard{Client: c, Live: c}
	look(true)
	must(c.Delete(t.Context(), member))
	look(false)
}
