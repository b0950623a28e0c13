package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubevirt"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// vmRights are those of a user who may do everything with VMs, and nothing else.
var vmRights = rbacv1.PolicyRule{APIGroups: []string{"kubevirt.io"},
	Resources: []string{"virtualmachines", "virtualmachineinstances"}, Verbs: []string{"*"}}

// personName is the name of a test's person.
func personName(t *testing.T) string { return strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")) }

// person is a client for a user who has these rights in the pools' namespace, and no others.
func person(t *testing.T, rights ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	name := personName(t)
	createObject(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name}})
	grant(t, fixtures.Namespace, rights...)
	config, err := w.Kube.RESTConfigFor(t.Context(), fixtures.Namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: w.Client.Scheme(), Mapper: w.Client.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// grant gives the person of a test rights in a namespace.
func grant(t *testing.T, namespace string, rights ...rbacv1.PolicyRule) {
	t.Helper()
	name := personName(t)
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	createObject(t, &rbacv1.Role{ObjectMeta: meta, Rules: rights})
	createObject(t, &rbacv1.RoleBinding{ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: fixtures.Namespace, Name: name}}})
}

// as is a client for a service account that nobody has to make or to lend.
func as(t *testing.T, namespace, account string) client.Client {
	t.Helper()
	c, err := client.New(w.ConfigAs(namespace, account),
		client.Options{Scheme: w.Client.Scheme(), Mapper: w.Client.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Nobody but the controller and what clears away deletes a member's VM, unless they say that they mean it. What isn't
// a member is not protected, nor is a VM that is being deleted anyway.
func TestMembersVMsCantBeDeletedByAccident(t *testing.T) {
	t.Parallel()
	create(t, newPool("guarded", 2))
	eventually(t, "guarded", "the pool to settle", time.Minute, allReady(2))
	member, other := vms(t, "guarded")[0], vms(t, "guarded")[1]
	clone := externalVM(t, member.Name+"-clone", member.Labels)
	user := person(t, vmRights)

	instance := &kubevirtv1.VirtualMachineInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: member.Namespace, Name: member.Name}}
	refused := func(c client.Client, o client.Object, kind string) error {
		err := c.Delete(t.Context(), o, client.DryRunAll)
		if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
			return fmt.Errorf("deleting %s %s: %w", kind, o.GetName(), errors.Join(errNotYet, err))
		}
		for _, words := range []string{
			"kubectl -n " + o.GetNamespace() + " delete nomadnode " + o.GetName(), "NomadNodePool guarded",
			"annotate " + strings.ToLower(kind) + " " + o.GetName() + " " + v1alpha1.AllowDeleteAnnotation,
		} {
			if !strings.Contains(err.Error(), words) {
				return fmt.Errorf("the refusal doesn't say %q: %w", words, err)
			}
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := process.WaitFor(ctx, 100*time.Millisecond, "the policy to be in force",
		func(context.Context) error { return refused(user, &member, "VirtualMachine") }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(refused(w.Client, &member, "VirtualMachine"), refused(user, instance, "VirtualMachineInstance"),
		refused(w.Client, instance, "VirtualMachineInstance")); err != nil {
		t.Errorf("an administrator, or the instance: %v", err)
	}
	if err := user.Delete(t.Context(), clone, client.DryRunAll); err != nil {
		t.Errorf("a clone can't be deleted: %v", err)
	}
	collector := as(t, metav1.NamespaceSystem, "generic-garbage-collector")
	for name, c := range map[string]client.Client{
		"the garbage collector": collector, "the namespace controller": as(t, metav1.NamespaceSystem, "namespace-controller"),
		"the controller": as(t, fixtures.ProductNamespace, testenv.ControllerServiceAccount),
	} {
		if err := c.Delete(t.Context(), member.DeepCopy(), client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]client.Client{"the garbage collector": collector,
		"KubeVirt": as(t, kubevirt.Namespace, "kubevirt-controller")} {
		if err := c.Delete(t.Context(), instance.DeepCopy(), client.DryRunAll); err != nil {
			t.Errorf("the instance, by %s: %v", name, err)
		}
	}
	release := keep(t, &other)
	if err := errors.Join(collector.Delete(t.Context(), other.DeepCopy()),
		user.Delete(t.Context(), other.DeepCopy())); err != nil {
		t.Errorf("once more, while it is being deleted: %v", err)
	}
	release()
	eventually(t, "guarded", "its member to be replaced", time.Minute, both(without(other.Name), allReady(2)))
	allow := client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"yes"}}}`, v1alpha1.AllowDeleteAnnotation))
	if err := errors.Join(user.Patch(t.Context(), member.DeepCopy(), allow),
		user.Delete(t.Context(), &member)); err != nil {
		t.Errorf("with the annotation: %v", err)
	}
	eventually(t, "guarded", "the member to be replaced", time.Minute, both(without(member.Name), allReady(2)))
}

// keep keeps a VM that is deleted, until it is released.
func keep(t *testing.T, vm *kubevirtv1.VirtualMachine) (release func()) {
	t.Helper()
	const finalizer = "test.example.org/keep"
	patch := func(change func(client.Object, string) bool) {
		t.Helper()
		awaitFor(t, "the finalizer of "+vm.Name+" to change", func(ctx context.Context) error {
			now := &kubevirtv1.VirtualMachine{}
			if err := w.Client.Get(ctx, client.ObjectKeyFromObject(vm), now); err != nil {
				return err
			}
			before := now.DeepCopy()
			change(now, finalizer)
			return w.Client.Patch(ctx, now, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		})
	}
	patch(controllerutil.AddFinalizer)
	return func() { patch(controllerutil.RemoveFinalizer) }
}

// A namespace with members isn't deleted by mistake: KubeVirt would stop them undrained. If it is meant, it goes with
// the pools in it, and leaves no Nomad node behind.
func TestNamespaceOfAPoolCanBeDeleted(t *testing.T) {
	t.Parallel()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "nomad-going"}}
	p := newPool("going", 1, func(p *v1alpha1.NomadNodePool) { p.Namespace = ns.Name })
	if err := errors.Join(w.Client.Create(t.Context(), ns), w.Client.Create(t.Context(), p)); err != nil {
		t.Fatal(err)
	}
	// Kubernetes' own controller of namespaces looks again after 5, 10, 20 and 40 s.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	wait := func(what string, check func() error) {
		t.Helper()
		if err := process.WaitFor(ctx, 200*time.Millisecond, what,
			func(context.Context) error { return check() }); err != nil {
			t.Fatal(err)
		}
	}
	wait("the member to be ready", func() error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil || p.Status.ReadyReplicas == 1 {
			return err
		}
		return errNotYet
	})
	refused(t, w.Client.Delete(ctx, ns.DeepCopy(), client.DryRunAll),
		"kubectl -n nomad-going delete nomadnodepools,nomadnodes --all (")
	refused(t, w.Client.Delete(ctx, ns.DeepCopy()),
		"kubectl annotate namespace nomad-going nomad.harvesterhci.io/allow-delete=yes")
	allow := client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"yes"}}}`, v1alpha1.AllowDeleteAnnotation))
	if err := errors.Join(w.Client.Patch(ctx, ns, allow), w.Client.Delete(ctx, ns)); err != nil {
		t.Fatal(err)
	}
	wait("the namespace to be gone", func() error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(ns), ns); !apierrors.IsNotFound(err) {
			return errors.Join(errNotYet, err)
		}
		return nil
	})
	if left := nomadNodes("going"); len(left) > 0 {
		t.Errorf("Nomad still has %s", left[0].Name)
	}
}
