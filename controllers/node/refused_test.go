package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
)

// fails has the API server answer DELETE, CREATE and PATCH with the error that what returns; nil: it accepts them.
func (s *fixture) fails(what func(verb string, o client.Object) error) {
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if err := what("delete", o); err != nil {
				return err
			}
			return c.Delete(ctx, o, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := what("create", o); err != nil {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			if err := what("patch", o); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
	})
}

// A refused removal is reported once, and tried again after a while.
func TestRefusedRemovalIsReported(t *testing.T) {
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "p-1", errors.New("no right to do that"))
	well := nomad.Health{State: nomad.HealthReachable}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c"}}
	for name, c := range map[string]struct {
		refused func(verb string, o client.Object) bool
		vm      bool
	}{
		"listing the claims": {func(verb string, o client.Object) bool {
			_, vm := o.(*kubevirtv1.VirtualMachine)
			return vm
		}, true},
		"deleting the VM": {func(verb string, o client.Object) bool {
			_, vm := o.(*kubevirtv1.VirtualMachine)
			return vm && verb == "delete"
		}, true},
		"deleting the claims": {func(verb string, o client.Object) bool {
			_, pvc := o.(*corev1.PersistentVolumeClaim)
			return pvc
		}, false},
		"deleting the NomadNode": {func(verb string, o client.Object) bool {
			_, nn := o.(*v1alpha1.NomadNode)
			return nn && verb == "delete"
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := drained(well, func(n *v1alpha1.NomadNode) []client.Object {
				if name == "deleting the NomadNode" {
					n.DeletionTimestamp = nil
				}
				return []client.Object{claim.DeepCopy()}
			})
			if name == "listing the claims" {
				patchVM(t, s, map[string]string{nodestate.RemovedClaimsAnnotation: "other"})
			}
			if !c.vm {
				s.nomad.view.Nodes = nil
				for _, o := range []client.Object{&kubevirtv1.VirtualMachine{}, &kubevirtv1.VirtualMachineInstance{}} {
					o.SetNamespace("ns")
					o.SetName("p-1")
					if err := s.Client.Delete(t.Context(), o); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.fails(func(verb string, o client.Object) error {
				if c.refused(verb, o) {
					return denied
				}
				return nil
			})
			if res := s.reconcile(t); res.RequeueAfter != haltRetry {
				t.Errorf("reconciles again after %s", res.RequeueAfter)
			}
			n := s.node(t)
			if is := nodestate.Condition(n, v1alpha1.NodeVMReady); is.Reason != v1alpha1.ReasonDeleteStuck ||
				!strings.Contains(is.Message, "no right to do that") {
				t.Errorf("got %+v", is)
			}
			if e := s.event(); !strings.Contains(e, "DeleteStuck") {
				t.Errorf("event %q", e)
			}
			s.reconcile(t)
			if e := s.event(); e != "" || s.node(t).ResourceVersion != n.ResourceVersion {
				t.Errorf("reported once more: event %q, %+v", e, s.node(t).Status)
			}
		})
	}
}

func patchVM(t *testing.T, s *fixture, annotations map[string]string) {
	t.Helper()
	vm := &kubevirtv1.VirtualMachine{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, vm); err != nil {
		t.Fatal(err)
	}
	vm.Annotations = annotations
	if err := s.Client.Update(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
}

// An error that keeps a VM from being made is reported even if it isn't a refusal, and the step is tried again soon.
func TestFailedCreationIsReported(t *testing.T) {
	webhook := apierrors.NewInternalError(
		errors.New(`failed calling webhook "validator.harvesterhci.io": dial tcp 10.53.0.7:443: connect: connection refused`),
	)
	port := 43210
	reset := func() error {
		port++
		return fmt.Errorf("Post https://webhook: read tcp 127.0.0.1:%d->10.53.0.7:443: read: connection reset by peer", port)
	}
	secret := func(o client.Object) bool { _, is := o.(*corev1.Secret); return is }
	for name, c := range map[string]struct {
		fails   func(verb string, o client.Object) error
		message string
	}{
		"webhook away": {func(verb string, o client.Object) error {
			if verb == "create" && !secret(o) {
				return webhook
			}
			return nil
		}, "connect: connection refused"},
		"another port each time": {func(verb string, o client.Object) error {
			if secret(o) {
				return reset()
			}
			return nil
		}, "read tcp 10.53.0.7:443: read: connection reset by peer"},
		"an external Secret": {func(verb string, o client.Object) error {
			if secret(o) {
				return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "secrets"}, o.GetName())
			}
			return nil
		}, "that isn't this member's is in the way"},
		"a conflict is not reported": {func(verb string, o client.Object) error {
			return apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, o.GetName(), errors.New("changed"))
		}, ""},
		"the controller's end is not reported": {func(string, client.Object) error { return context.Canceled }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := notMade(0, v1alpha1.IntroductionNever)
			s.fails(c.fails)
			for range 3 { // Secret, VM, and once more
				_, _ = s.Reconcile(t.Context(), request)
			}
			n := s.node(t)
			is := nodestate.Condition(n, v1alpha1.NodeVMReady)
			if (is.Reason == v1alpha1.ReasonCreateFailed) != (c.message != "") || !strings.Contains(is.Message, c.message) {
				t.Errorf("got %+v", is)
			}
			if e := s.event(); strings.Contains(e, "CreateFailed") != (c.message != "") {
				t.Errorf("event %q", e)
			}
			_, err := s.Reconcile(t.Context(), request)
			if (err != nil) != (c.message != "" || name == "the controller's end is not reported") {
				t.Errorf("tried again late: %v", err)
			}
			if e := s.event(); e != "" || s.node(t).ResourceVersion != n.ResourceVersion {
				t.Errorf("reported once more: event %q", e)
			}
		})
	}
}

func TestErrorsHaveTheSameTextEachTime(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"read tcp 10.52.0.1:43210->10.53.0.7:443: read: connection reset by peer",
			"read tcp 10.53.0.7:443: read: connection reset by peer"},
		{"write tcp [fd00::1]:43210->[fd00::7]:443: broken pipe",
			"write tcp [fd00::7]:443: broken pipe"},
		{"certificate has expired: current time 2026-11-23T11:00:00Z is after 2026-01-01T00:00:00Z",
			"certificate has expired: is after 2026-01-01T00:00:00Z"},
		{"dial tcp 10.53.0.7:443: connect: connection refused",
			"dial tcp 10.53.0.7:443: connect: connection refused"},
	} {
		if got := stable(errors.New(c.text)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// What can't be rendered was refused by nobody: the template is named as the cause, with the reason that pre-flight has.
func TestTemplateThatCantBeRendered(t *testing.T) {
	for want, err := range map[string]error{
		v1alpha1.ReasonTemplateInvalid: errors.New("rendering the VirtualMachine of \"p-1\": no"),
		v1alpha1.ReasonImageNotFound: fmt.Errorf("creating: %w", &render.InvalidError{Problems: []condition.Problem{
			{Reason: v1alpha1.ReasonImageNotFound, Message: "no"}}}),
	} {
		if p := problemOf(templateProblem(err)); p == nil || p.By != v1alpha1.BlockedByTemplate || p.Reason != want ||
			!strings.HasSuffix(p.Message, "no") {
			t.Errorf("%v: %+v", err, p)
		}
	}
}
