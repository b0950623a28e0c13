package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// A VM that somebody deletes takes its member with it, and what ran on it. Nothing is left of it, it is replaced, and
// Nomad starts what was lost anew.
func TestVMDeletedByOthersIsReplaced(t *testing.T) {
	t.Parallel()
	create(t, newPool("swept", 2))
	eventually(t, "swept", "the pool to settle", time.Minute, allReady(2))
	service(t, "swept", "swept-service", 2)
	lost := members(t, "swept")[0]
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: lost.Namespace, Name: lost.Name}}
	allow := client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"test"}}}`, v1alpha1.AllowDeleteAnnotation))
	if err := errors.Join(w.Client.Patch(t.Context(), vm, allow), w.Client.Delete(t.Context(), vm)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "swept", "the member to be replaced", time.Minute, both(without(lost.Name), allReady(2)))
	onlyMembersLeft(t, "swept")
	eventually(t, "swept", "an event", 10*time.Second, eventAbout(t, lost.Name, "VMDeletedByOthers"))
	running(t, "swept-service", 2)
	were := 0
	for _, a := range allocations(t, "swept-service") {
		if a.NodeID != lost.Spec.NodeID {
			continue
		}
		if were++; a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusPending {
			t.Errorf("allocation %s of the VM that is gone is %s", a.ID, a.ClientStatus)
		}
	}
	if were == 0 {
		t.Error("nothing ran on it")
	}
}

// A guest can outlive its VM, if whoever deletes it says so. The member can't stop it, says what to do, and goes when
// it is done.
func TestOthersOrphanAnInstance(t *testing.T) {
	t.Parallel()
	create(t, newPool("orphan", 1))
	eventually(t, "orphan", "the pool to settle", time.Minute, allReady(1))
	lost := members(t, "orphan")[0]
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: nameOf(lost)}
	allow := client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"test"}}}`, v1alpha1.AllowDeleteAnnotation))
	if err := errors.Join(w.Client.Patch(t.Context(), vm, allow),
		w.Client.Delete(t.Context(), vm, client.PropagationPolicy(metav1.DeletePropagationOrphan))); err != nil {
		t.Fatal(err)
	}
	reportedWithin(t, 2*time.Minute, "orphan", "DeleteStuck", "its instance runs on without it")
	if err := w.Client.Delete(t.Context(), &kubevirtv1.VirtualMachineInstance{ObjectMeta: nameOf(lost)}); err != nil {
		t.Fatal(err)
	}
	// Harvester 1.8 keeps an instance whose VM is gone by a finalizer (Harvester: pkg/controller/master/virtualmachine,
	// BackfillObservedNetworkMacAddress), which nobody but a person takes off.
	unheld := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	eventually(t, "orphan", "the instance to have ended", 30*time.Second,
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			vmi := &kubevirtv1.VirtualMachineInstance{}
			err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: lost.Namespace, Name: lost.Name}, vmi)
			switch {
			case err != nil:
				return client.IgnoreNotFound(err)
			case !vmi.IsFinal() || len(vmi.Finalizers) > 1:
				return fmt.Errorf("it is %s, held by %v", vmi.Status.Phase, vmi.Finalizers)
			}
			return client.IgnoreNotFound(w.Client.Patch(t.Context(), vmi, unheld))
		})
	eventually(t, "orphan", "the member to go", time.Minute, both(without(lost.Name), allReady(1)))
	onlyMembersLeft(t, "orphan")
}

// To delete a NomadNode is to drain it: its allocations move before its guest stops.
func TestDeletedNomadNodeIsDrainedAndReplaced(t *testing.T) {
	t.Parallel()
	create(t, newPool("deleted", 2))
	eventually(t, "deleted", "the pool to settle", time.Minute, allReady(2))
	service(t, "deleted", "deleted-service", 2)
	leaving := members(t, "deleted")[0]
	if err := w.Client.Delete(t.Context(), &leaving); err != nil {
		t.Fatal(err)
	}
	eventually(t, "deleted", "the member to be replaced", time.Minute, both(without(leaving.Name), allReady(2)))
	running(t, "deleted-service", 2)
	if noneLost(t, "deleted-service") != 1 {
		t.Error("the member's allocation wasn't moved")
	}
	onlyMembersLeft(t, "deleted")
}

// VMs that aren't members are never touched: neither one that was cloned in the UI, which has a member's labels, nor
// one that has taken a member's name.
func TestExternalVMsAreNeverTouched(t *testing.T) {
	t.Parallel()
	p := newPool("strange", 1)
	create(t, p)
	eventually(t, "strange", "the pool to settle", time.Minute, allReady(1))
	original := vms(t, "strange")[0]
	clone := externalVM(t, original.Name+"-clone", original.Labels)
	squatter := externalVM(t, pool.MemberName("strange", string(p.UID), nextOrdinal(t, "strange")), nil)
	if err := scale(t, "strange", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "strange", "a member of another name in its place", 2*time.Minute,
		both(without(squatter.Name), allReady(2)))
	reported(t, "strange", "MemberReplaced", squatter.Name+" is replaced by one of another name")
	if err := w.Client.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	eventuallyGone(t, "strange")
	for _, vm := range []*kubevirtv1.VirtualMachine{clone, squatter} {
		var now kubevirtv1.VirtualMachine
		if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(vm), &now); err != nil {
			t.Errorf("the stranger's VM %s: %v", vm.Name, err)
			continue
		}
		if now.UID != vm.UID || now.DeletionTimestamp != nil || !equality.Semantic.DeepEqual(now.Spec, vm.Spec) {
			t.Errorf("the stranger's VM %s was changed: %+v", vm.Name, now.ObjectMeta)
		}
		if _, marked := now.Annotations["harvesterhci.io/removedPersistentVolumeClaims"]; marked {
			t.Errorf("the stranger's VM %s was marked for removal", vm.Name)
		}
	}
}

// A deleted pool drains its members before they go, whatever propagation policy is asked for, and although it is paused.
func TestDeletedPoolDrains(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		propagation metav1.DeletionPropagation
		paused      bool
	}{
		{"foreground", metav1.DeletePropagationForeground, false},
		{"paused", metav1.DeletePropagationBackground, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPool(c.name, 2, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = 5 * time.Second })
			create(t, p)
			eventually(t, c.name, "the pool to settle", time.Minute, allReady(2))
			service(t, c.name, c.name+"-service", 2)
			if c.paused {
				if err := w.Client.Patch(t.Context(), p, client.RawPatch("application/merge-patch+json",
					[]byte(`{"spec":{"paused":true}}`))); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Client.Delete(t.Context(), p, client.PropagationPolicy(c.propagation)); err != nil {
				t.Fatal(err)
			}
			eventuallyGone(t, c.name)
			if moved := noneLost(t, c.name+"-service"); moved < 2 {
				t.Errorf("%d allocations were stopped by a drain, not 2", moved)
			}
		})
	}
}

// A member that drains has its drain canceled when the pool grows again, and what still runs on it stays.
func TestScaleOutCallsDrainingMembersBack(t *testing.T) {
	t.Parallel()
	create(t, newPool("rescue", 2))
	eventually(t, "rescue", "the pool to settle", time.Minute, allReady(2))
	batch(t, "rescue", "rescue-batch", 2, forever)
	allocs, uids := allocations(t, "rescue-batch"), vmUIDs(t, "rescue")
	if err := scale(t, "rescue", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "rescue", "a member to drain in Nomad", 30*time.Second, nomadStatus("draining", 1))
	made := nextOrdinal(t, "rescue") // of this pool: others make VMs at the same time
	if err := scale(t, "rescue", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "rescue", "the member to be back", 30*time.Second,
		both(allReady(2), func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, n := range nodes {
				if n.Spec.Drain != nil {
					return fmt.Errorf("%s is still ordered to leave", n.Name)
				}
			}
			return nil
		}))
	if got := nextOrdinal(t, "rescue") - made; got != 0 {
		t.Errorf("%d members were made", got)
	}
	for uid := range vmUIDs(t, "rescue") {
		if !uids[uid] {
			t.Errorf("VM %s is a new one", uid)
		}
	}
	for _, n := range nomadNodes("rescue") {
		if n.Drain || n.SchedulingEligibility != "eligible" || n.Status != "ready" {
			t.Errorf("Nomad node %s: %s, %s, draining %v", n.Name, n.Status, n.SchedulingEligibility, n.Drain)
		}
	}
	now := map[string]string{}
	for _, a := range allocations(t, "rescue-batch") {
		now[a.ID] = a.ClientStatus + "/" + a.DesiredStatus
	}
	for _, a := range allocs {
		if now[a.ID] != "running/run" || len(now) != len(allocs) {
			t.Errorf("the allocations are %v, and %s was among %d", now, a.ID, len(allocs))
		}
	}
	staysIneligible(t, "rescue")
}

// staysIneligible checks that a node which an operator made ineligible before its member was asked to leave is
// so still when the member has had its drain canceled.
func staysIneligible(t *testing.T, pool string) {
	t.Helper()
	id := members(t, pool)[0].Spec.NodeID
	if _, err := w.Nomad.Nodes().ToggleEligibility(id, false, nil); err != nil {
		t.Fatal(err)
	}
	ineligible := func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		for _, n := range nodes {
			if n.Spec.NodeID == id && n.Spec.Drain == nil &&
				memberCondition(n, v1alpha1.NodeReady).Reason == v1alpha1.ReasonIneligible {
				return nil
			}
		}
		return errNotYet
	}
	eventually(t, pool, "the member to say that it is ineligible", 30*time.Second, ineligible)
	if err := scale(t, pool, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, pool, "it to drain, as the one that takes no work anyway", 30*time.Second,
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			if n, _, err := w.Nomad.Nodes().Info(id, nil); err != nil || n.DrainStrategy == nil {
				return errNotYet
			}
			return nil
		})
	if err := scale(t, pool, 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, pool, "it to be back, and ineligible", 30*time.Second, lasts(2*time.Second, ineligible))
	if n, _, err := w.Nomad.Nodes().Info(id, nil); err != nil || n.DrainStrategy != nil {
		t.Errorf("its Nomad node drains: %+v, %v", n, err)
	}
	if _, err := w.Nomad.Nodes().ToggleEligibility(id, true, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, pool, "the pool to settle", time.Minute, allReady(2))
}

func members(t *testing.T, pool string) []v1alpha1.NomadNode {
	t.Helper()
	_, nodes, err := read(t.Context(), pool)
	if err != nil || len(nodes) == 0 {
		t.Fatalf("the members of %s: %d, %v", pool, len(nodes), err)
	}
	return nodes
}

func nextOrdinal(t *testing.T, pool string) int64 {
	t.Helper()
	p, _, err := read(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return p.Status.NextOrdinal
}

// externalVM makes a halted VM that belongs to no pool.
func externalVM(t *testing.T, name string, labels map[string]string) *kubevirtv1.VirtualMachine {
	t.Helper()
	vm := &kubevirtv1.VirtualMachine{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name, Labels: labels},
		Spec: kubevirtv1.VirtualMachineSpec{
			RunStrategy: new(kubevirtv1.RunStrategyHalted),
			Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{
				Spec: kubevirtv1.VirtualMachineInstanceSpec{Domain: kubevirtv1.DomainSpec{
					CPU: &kubevirtv1.CPU{Cores: 1},
					Resources: kubevirtv1.ResourceRequirements{
						Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"),
							corev1.ResourceMemory: resource.MustParse("1Gi")},
					},
				}},
			},
		},
	}
	if err := w.Client.Create(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Client.Delete(context.Background(), vm.DeepCopy()); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	return vm
}

// eventAbout is satisfied when there is an event about a member.
func eventAbout(t *testing.T, name, reason string) check {
	return func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		var l eventsv1.EventList
		if err := w.Client.List(t.Context(), &l, client.InNamespace(fixtures.Namespace)); err != nil {
			return err
		}
		for _, e := range l.Items {
			if e.Regarding.Kind == "NomadNode" && e.Regarding.Name == name && e.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("no event %s about %s", reason, name)
	}
}
