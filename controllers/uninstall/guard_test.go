package uninstall

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// The installation is protected from the first pool or member on, and until the last has gone.
func TestInstallationIsGuardedWhileThereAreMembers(t *testing.T) {
	pool := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
	member := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "q-1"}}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "nomad-harvester-uninstall"}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "nomad-harvester-uninstall"}}
	c := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(policy, binding).Build()
	u := guardOf(c)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(guarded bool) {
		t.Helper()
		_, err := u.reconcile(t.Context(), ctrl.Request{})
		must(err)
		for _, o := range []client.Object{policy, binding} { // the policy of members' VMs isn't there, and isn't missed
			must(c.Get(t.Context(), client.ObjectKeyFromObject(o), o))
			if kept := slices.Contains(o.GetFinalizers(), finalizer); kept != guarded {
				t.Errorf("%T is kept: %v, want %v", o, kept, guarded)
			}
		}
		if armed := binding.Spec.MatchResources == nil; armed != guarded {
			t.Errorf("the binding has %+v, want it armed: %v", binding.Spec.MatchResources, guarded)
		}
	}
	check(false)
	must(c.Create(t.Context(), pool))
	check(true)
	must(c.Create(t.Context(), member))
	must(c.Delete(t.Context(), pool))
	check(true)

	// Another process finds it as it is, and takes the guard away once nothing is left.
	u = guardOf(c)
	check(true)
	must(c.Delete(t.Context(), member))
	check(false)
}

// Whoever sees that the installation may be removed removes the controller too. What only it can release has gone by
// then, wherever it was interrupted, and the next process goes on.
func TestInstallationMayBeRemovedAfterAllElse(t *testing.T) {
	pool := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
	for most := range 2 * len(guardedPolicies) {
		inner := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(append(installed(), pool.DeepCopy())...).Build()
		if _, err := guardOf(inner).reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		if err := inner.Delete(t.Context(), pool.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		patches := 0
		c := interceptor.NewClient(inner, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch,
			o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if patches++; patches > most {
				return context.Canceled
			}
			if err := policyIsThere(ctx, c, o); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		}})
		if _, err := guardOf(c).reconcile(t.Context(), ctrl.Request{}); err == nil {
			t.Fatalf("%d patches were enough", most)
		}
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: uninstallPolicy}}
		if err := inner.Get(t.Context(), client.ObjectKeyFromObject(binding), binding); err != nil {
			t.Fatal(err)
		}
		if binding.Spec.MatchResources != nil {
			t.Errorf("after %d patches the installation may be removed", most)
		}
		most = 100
		if _, err := guardOf(c).reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		for _, o := range byName(guardedPolicies) {
			if err := inner.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || len(o.GetFinalizers()) > 0 {
				t.Errorf("%s %s is held: %v", kindOf(o), o.GetName(), err)
			}
		}
	}
}

// policyIsThere refuses what Kubernetes does of a binding with parameters once its policy may have gone, because it is
// being deleted and nothing holds it any more.
func policyIsThere(ctx context.Context, c client.Client, o client.Object) error {
	if kindOf(o) == policyKind || o.GetName() == uninstallPolicy {
		return nil
	}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: o.GetName()}}
	if err := c.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
		return err
	}
	if !slices.Contains(policy.Finalizers, finalizer) {
		return fmt.Errorf("spec.paramRef: Forbidden: unable to get policy %s", policy.Name)
	}
	return nil
}

// A pool that is made while the guard is half gone has all of it back at once.
func TestGuardThatIsHalfGoneComesBackForTheNextPool(t *testing.T) {
	pool := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
	inner := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(append(installed(), pool.DeepCopy())...).Build()
	patches, most := 0, 100
	u := guardOf(interceptor.NewClient(inner, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch,
		o client.Object, p client.Patch, opts ...client.PatchOption) error {
		if patches++; patches > most {
			return context.DeadlineExceeded
		}
		return c.Patch(ctx, o, p, opts...)
	}}))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := u.reconcile(t.Context(), ctrl.Request{})
	must(err)
	must(inner.Delete(t.Context(), pool.DeepCopy()))
	patches, most = 0, 2
	if _, err := u.reconcile(t.Context(), ctrl.Request{}); err == nil {
		t.Fatal("it has gone")
	}
	most = 100
	must(inner.Create(t.Context(), pool.DeepCopy()))
	_, err = u.reconcile(t.Context(), ctrl.Request{})
	must(err)
	for _, o := range byName(guardedPolicies) {
		must(inner.Get(t.Context(), client.ObjectKeyFromObject(o), o))
		if !slices.Contains(o.GetFinalizers(), finalizer) {
			t.Errorf("%s %s isn't guarded", kindOf(o), o.GetName())
		}
	}
}

// A controller of some namespaces doesn't see the others' pools in its cache. They count all the same.
func TestInstallationIsGuardedForPoolsOfOtherNamespaces(t *testing.T) {
	pool := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "p"}}
	build := func(objects ...client.Object) client.Client {
		return fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(objects...).Build()
	}
	for name, c := range map[string]struct {
		namespaces []string
		want       bool
	}{"some": {[]string{"ns"}, true}, "all": {nil, false}} {
		u := New(kube.Deps{Client: build(), Live: build(pool), Namespaces: c.namespaces})
		if got, err := u.used(t.Context()); err != nil || got != c.want {
			t.Errorf("%s: used %v, want %v: %v", name, got, c.want, err)
		}
	}
}

// Kubernetes has such policies since 1.30. Before that nothing can protect the installation, which isn't reported again
// and again.
func TestNothingIsGuardedWhereThereAreNoPolicies(t *testing.T) {
	pool := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
	c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(pool).Build(),
		interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				switch o.(type) {
				case *admissionv1.ValidatingAdmissionPolicy, *admissionv1.ValidatingAdmissionPolicyBinding:
					return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "admissionregistration.k8s.io",
						Kind: "ValidatingAdmissionPolicy"}}
				}
				return c.Get(ctx, key, o, opts...)
			},
		})
	u := guardOf(c)
	recorder := events.NewFakeRecorder(10)
	u.events = emitter{kube.EventSink{EventRecorder: recorder}}
	if _, err := u.reconcile(t.Context(), ctrl.Request{}); err != nil || len(recorder.Events) > 0 {
		t.Errorf("%v, and %d Events", err, len(recorder.Events))
	}
}

func guardOf(c client.Client) *Guard {
	return &Guard{client: c, live: c, clock: clocktesting.NewFakePassiveClock(now),
		events: emitter{kube.EventSink{EventRecorder: events.NewFakeRecorder(10)}}}
}

// installed are the policies and their bindings.
func installed() []client.Object {
	var all []client.Object
	for _, name := range slices.Concat(guardedPolicies, reportedPolicies) {
		all = append(all, &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}},
			&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return all
}

// Policies that somebody deletes, or applies again, are noticed within minutes, and what is missing is reported once,
// with what to do.
func TestMissingPoliciesAreReported(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(installed()...).Build()
	clock, emitted := clocktesting.NewFakePassiveClock(now), events.NewFakeRecorder(10)
	u := &Guard{client: c, live: c, clock: clock, events: emitter{kube.EventSink{EventRecorder: emitted}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// later reconciles again when the last reconcile asked for it, and returns the Event that was emitted then.
	later := func() string {
		t.Helper()
		r, err := u.reconcile(t.Context(), ctrl.Request{})
		must(err)
		if r.RequeueAfter <= 0 || r.RequeueAfter > 10*time.Minute {
			t.Errorf("looks again in %s", r.RequeueAfter)
		}
		clock.SetTime(clock.Now().Add(r.RequeueAfter))
		_, err = u.reconcile(t.Context(), ctrl.Request{})
		must(err)
		select {
		case e := <-emitted.Events:
			return e
		default:
			return ""
		}
	}
	quiet := func(when string) {
		t.Helper()
		if e := later(); e != "" {
			t.Errorf("%s: emitted %q", when, e)
		}
	}
	loud := func(when string, parts ...string) {
		t.Helper()
		e := later()
		for _, part := range parts {
			if !strings.Contains(e, part) {
				t.Errorf("%s: emitted %q, without %q", when, e, part)
			}
		}
		quiet("once more, " + when)
	}
	quiet("no members")
	must(c.Create(t.Context(), &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}))
	quiet("members")

	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: uninstallPolicy}}
	must(c.Delete(t.Context(), policy))
	loud("deleted", "Warning GuardBroken", "Somebody deleted admission policies",
		"kubectl patch validatingadmissionpolicy/"+uninstallPolicy+" --type=merge -p '{\"metadata\":{\"finalizers\":null}}'",
		"apply the installation again")

	must(c.Get(t.Context(), client.ObjectKeyFromObject(policy), policy))
	policy.Finalizers = nil
	must(c.Update(t.Context(), policy))
	loud("gone", "There is no validatingadmissionpolicy "+uninstallPolicy+":", "Apply the installation again")

	policy = &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: uninstallPolicy}}
	must(c.Create(t.Context(), policy))
	quiet("applied again")
	must(c.Get(t.Context(), client.ObjectKeyFromObject(policy), policy))
	if !slices.Contains(policy.Finalizers, finalizer) {
		t.Error("a policy that was applied again isn't kept")
	}

	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: reportedPolicies[0]}}
	must(c.Get(t.Context(), client.ObjectKeyFromObject(binding), binding))
	if len(binding.Finalizers) > 0 {
		t.Errorf("%s, which only is reported, is kept: %v", binding.Name, binding.Finalizers)
	}
	must(c.Delete(t.Context(), binding))
	loud("of those that may go", "There is no validatingadmissionpolicybinding "+reportedPolicies[0]+":")
	must(c.Create(t.Context(),
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: reportedPolicies[0]}}))
	quiet("it is back")

	for _, o := range installed() {
		must(c.Delete(t.Context(), o))
	}
	loud("all deleted",
		"kubectl patch validatingadmissionpolicybinding/"+uninstallPolicy+" validatingadmissionpolicy/"+uninstallPolicy+" ")
}

// Even if everything is missing one Event has enough characters for all of it: the API server refuses a longer note, so it would be
// cut.
func TestAllThatIsAmissFitsIntoAnEvent(t *testing.T) {
	both := func(names []string, ending bool) (all []unprotected) {
		for _, name := range names {
			all = append(all, unprotected{kind: bindingKind, name: name, ending: ending},
				unprotected{kind: policyKind, name: name, ending: ending})
		}
		return all
	}
	every := slices.Concat(guardedPolicies, reportedPolicies)
	const none = "There is no validatingadmissionpolicy"
	for name, c := range map[string]struct {
		all   []unprotected
		parts []string
	}{
		"all missing":  {both(every, false), []string{none + " and -binding " + strings.Join(every, ", ") + ":"}},
		"all deleted":  {both(guardedPolicies, true), []string{"kubectl patch " + bindingKind + "/" + guardedPolicies[0] + " "}},
		"delete -k":    {slices.Concat(both(guardedPolicies, true), both(reportedPolicies, false)), []string{"kubectl patch ", none}},
		"a policy":     {both(every, false)[1:2], []string{none + " " + every[0] + ":"}},
		"but a policy": {both(every[:2], false)[1:], []string{none + " and -binding " + every[1] + ", no " + policyKind + " " + every[0] + ":"}},
	} {
		note := explainUnprotected(c.all)
		if len(note) > kube.MaxNote {
			t.Errorf("%s: %d characters: %s", name, len(note), note)
		}
		for _, part := range c.parts {
			if !strings.Contains(note, part) {
				t.Errorf("%s: %q lacks %q", name, note, part)
			}
		}
	}
}

// Each policy that is installed is reported when it is missing, and the controller may look at it.
func TestEachPolicyIsKnown(t *testing.T) {
	files, err := filepath.Glob("../../config/admission/*_policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read := func(file string, into any) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err == nil {
			err = yaml.UnmarshalStrict(text, into)
		}
		if err != nil {
			t.Fatal(file, err)
		}
	}
	var role rbacv1.ClusterRole
	read("../../config/rbac/role.yaml", &role)
	var all []string
	for _, file := range files {
		var policy admissionv1.ValidatingAdmissionPolicy
		read(file, &policy)
		all = append(all, policy.Name)
		if !slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.APIGroups, admissionv1.GroupName) && slices.Contains(r.ResourceNames, policy.Name) &&
				len(r.Resources) == 2 && slices.Contains(r.Verbs, "get")
		}) {
			t.Errorf("the controller may not get %s", policy.Name)
		}
	}
	known := slices.Sorted(slices.Values(slices.Concat(guardedPolicies, reportedPolicies)))
	if slices.Sort(all); !slices.Equal(all, known) {
		t.Errorf("installed are %v, known %v", all, known)
	}
}
