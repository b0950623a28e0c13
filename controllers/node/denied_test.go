package node

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// deletedVM is a drained member whose VM is deleted, but still there although its guest is gone. refuse is what
// admission answers to a change of the VM; nil: it is accepted.
func deletedVM(t *testing.T, refuse func(patch string) error) *fixture {
	t.Helper()
	s := newFixture(func(n *v1alpha1.NomadNode, _ *fixture) []client.Object {
		ago := metav1.NewTime(now.Add(-time.Minute))
		n.DeletionTimestamp, n.Finalizers = &ago, []string{v1alpha1.NodeFinalizer}
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, ago.Time, now)
		n.Status.VM.UID, n.Status.Claims = "vm", []string{"c"}
		n.Status.JoinedTime = &ago
		n.Status.DrainResult = v1alpha1.DrainEmpty
		n.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.NodeDrainCompleted, Status: "True", Reason: v1alpha1.ReasonEmpty, LastTransitionTime: ago}}
		vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "p-1", UID: "vm", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
			DeletionTimestamp: &ago, Finalizers: []string{"a/b"},
		}}
		always := kubevirtv1.RunStrategyAlways
		vm.Spec.RunStrategy = &always
		// KubeVirt keeps the instance until it has written its end into the VM.
		vmi := &kubevirtv1.VirtualMachineInstance{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1", DeletionTimestamp: &ago, Finalizers: []string{"c/d"}}}
		vmi.Status.Phase = kubevirtv1.Succeeded
		return []client.Object{vm, vmi}
	})
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			if _, ok := o.(*kubevirtv1.VirtualMachine); ok {
				data, err := p.Data(o)
				if err = errors.Join(err, refuse(string(data))); err != nil {
					return err
				}
			}
			return c.Patch(ctx, o, p, opts...)
		},
	})
	return s
}

func denied(text string) error {
	return apierrors.NewBadRequest(`admission webhook "validator.harvesterhci.io" denied the request: ` + text)
}

func TestDeletedVMWhoseChangeIsDenied(t *testing.T) {
	const quota = "cpu insufficient resources due to resource quota"
	for name, c := range map[string]struct {
		refuse  func(patch string) error
		halted  bool
		message string // part of VMReady's message; empty: it isn't stuck
	}{
		"going": {func(string) error { return nil }, false, ""},
		"webhook away": {func(string) error { return apierrors.NewInternalError(errors.New("no endpoints")) }, false,
			""},
		"something else":     {func(string) error { return denied("no such network") }, false, "no such network"},
		"halting is refused": {func(string) error { return denied(quota) }, false, quota},
		"above the quota": {func(patch string) error {
			if strings.Contains(patch, "Halted") {
				return nil
			}
			return denied(quota)
		}, true, quota},
	} {
		t.Run(name, func(t *testing.T) {
			s := deletedVM(t, c.refuse)
			res := s.reconcile(t)
			vm := &kubevirtv1.VirtualMachine{}
			if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, vm); err != nil {
				t.Fatal(err)
			}
			if got := *vm.Spec.RunStrategy == kubevirtv1.RunStrategyHalted; got != c.halted {
				t.Errorf("halted: %t", got)
			}
			if !c.halted && res.RequeueAfter != haltRetry {
				t.Errorf("reconciles again after %s", res.RequeueAfter)
			}
			is := nodestate.Condition(s.node(t), v1alpha1.NodeVMReady)
			if (is.Reason == v1alpha1.ReasonDeleteStuck) != (c.message != "") || !strings.Contains(is.Message, c.message) {
				t.Errorf("got %+v", is)
			}
			if e := s.event(); strings.Contains(e, "DeleteStuck") != (c.message != "") {
				t.Errorf("event %q", e)
			}
		})
	}
}

// Each event of a deleted VM wakes its member, and admission isn't asked each time: the longer the VM stays the less often.
func TestAdmissionIsAskedOnceInAWhile(t *testing.T) {
	asked, answer := 0, denied("no such network")
	s := deletedVM(t, func(string) error { asked++; return answer })
	stuck := func() bool {
		s.reconcile(t)
		return nodestate.Condition(s.node(t), v1alpha1.NodeVMReady).Reason == v1alpha1.ReasonDeleteStuck
	}
	at := func(after time.Duration) {
		s.clock.SetTime(now.Add(after)) // a minute longer after its deletion
		s.nomad.view.Taken = s.clock.Now()
	}
	for _, c := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {0, 1}, {59 * time.Second, 1}, {time.Minute, 2}, {3*time.Minute - time.Second, 2}, {3 * time.Minute, 3},
		{5*time.Minute - time.Second, 3}, {5 * time.Minute, 4}} {
		if at(c.after); !stuck() || asked != c.asked {
			t.Errorf("after %s: asked %d times, want %d", c.after, asked, c.asked)
		}
	}
	answer = nil
	if at(7 * time.Minute); stuck() || asked != 5 {
		t.Errorf("asked %d times, and it is stuck", asked)
	}
}

// A question that has no answer takes nothing back.
func TestDenialOutlastsAQuestionWithoutAnAnswer(t *testing.T) {
	answer := denied("no such network")
	s := deletedVM(t, func(string) error { return answer })
	denial := func(after time.Duration) bool {
		s.clock.SetTime(now.Add(after))
		s.nomad.view.Taken = s.clock.Now()
		s.reconcile(t)
		return strings.Contains(nodestate.Condition(s.node(t), v1alpha1.NodeVMReady).Message, "no such network")
	}
	if !denial(0) {
		t.Fatal("the denial isn't said")
	}
	answer = errors.New("timeout")
	for d := time.Minute; d < 10*time.Minute; d += 15 * time.Second {
		if !denial(d) {
			t.Fatalf("%s later it isn't said any more", d)
		}
	}
	answer = nil
	if denial(15 * time.Minute) {
		t.Error("it is still said once admission allows changes")
	}
}
