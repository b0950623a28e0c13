package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// haltedForQuota is a member that has not joined, whose VM Harvester halted an hour ago, when it was made.
func haltedForQuota() *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := running(n, s, nomad.Node{})
		n.Status.JoinedTime, s.nomad.view.Nodes = nil, nil
		n.Spec.Health.JoinTimeout = metav1.Duration{Duration: 10 * time.Minute}
		vm := objects[0].(*kubevirtv1.VirtualMachine)
		halted := kubevirtv1.RunStrategyHalted
		vm.Spec.RunStrategy = &halted
		vm.Annotations = map[string]string{nodestate.AboveQuotaAnnotation: "cpu insufficient resources due to resource quota",
			RunStrategyAnnotation: "RerunOnFailure"}
		n.Status.BlockedBy = v1alpha1.BlockedByCapacity
		n.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.NodeVMReady, Status: "False", Reason: v1alpha1.ReasonVMAboveQuota,
				LastTransitionTime: metav1.NewTime(now)},
		}
		return []client.Object{vm}
	})
}

func (s *fixture) vm(t *testing.T) *kubevirtv1.VirtualMachine {
	t.Helper()
	vm := &kubevirtv1.VirtualMachine{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, vm); err != nil {
		t.Fatal(err)
	}
	return vm
}

// Harvester never starts a VM again that it has halted for a quota, and refuses its start while the quota is used up.
func TestVMIsStartedWhenItsQuotaAllowsIt(t *testing.T) {
	s := haltedForQuota()
	capacity := false
	s.fails(func(verb string, o client.Object) error {
		if _, vm := o.(*kubevirtv1.VirtualMachine); vm && !capacity {
			return denied("cpu insufficient resources due to resource quota")
		}
		return nil
	})
	s.reconcile(t)
	before := s.node(t)
	if res := s.reconcile(t); res.RequeueAfter != capacityRetry || s.node(t).ResourceVersion != before.ResourceVersion {
		t.Errorf("reconciles again after %s, and writes %+v", res.RequeueAfter, s.node(t).Status)
	}
	if c := nodestate.Condition(before, v1alpha1.NodeVMReady); c.Reason != v1alpha1.ReasonVMAboveQuota ||
		*s.vm(t).Spec.RunStrategy != kubevirtv1.RunStrategyHalted {
		t.Errorf("got %+v", c)
	}
	if before.Spec.Drain != nil {
		t.Errorf("it leaves: %+v", before.Spec.Drain)
	}
	capacity = true
	s.reconcile(t)
	if got := *s.vm(t).Spec.RunStrategy; got != kubevirtv1.RunStrategyRerunOnFailure {
		t.Errorf("the VM's strategy is %s", got)
	}
	if e := s.event(); !strings.Contains(e, "VMStarted") {
		t.Errorf("event %q", e)
	}
	if since := s.node(t).Status.VM.CapacityAvailableTime; since == nil || !since.Equal(&metav1.Time{Time: now}) {
		t.Errorf("capacity since %v", since)
	}
}

func TestFailureToStartIsTriedAgainSoon(t *testing.T) {
	s := haltedForQuota()
	s.fails(func(verb string, o client.Object) error {
		if _, vm := o.(*kubevirtv1.VirtualMachine); vm {
			return errors.New("no answer")
		}
		return nil
	})
	if _, err := s.Reconcile(t.Context(), request); err == nil {
		t.Error("no error")
	}
	if since := s.node(t).Status.VM.CapacityAvailableTime; since != nil {
		t.Errorf("capacity since %s", since)
	}
}

func TestUnschedulableIsTheSchedulersMessage(t *testing.T) {
	for name, c := range map[string]struct {
		phase  kubevirtv1.VirtualMachineInstancePhase
		reason string
		want   string
	}{
		"no host":            {kubevirtv1.Scheduling, corev1.PodReasonUnschedulable, "3 Insufficient memory"},
		"its claim is to be": {kubevirtv1.Pending, corev1.PodReasonUnschedulable, ""},
		"it is gated":        {kubevirtv1.Scheduling, corev1.PodReasonSchedulingGated, ""},
	} {
		vmi := &kubevirtv1.VirtualMachineInstance{}
		vmi.Status.Phase = c.phase
		vmi.Status.Conditions = []kubevirtv1.VirtualMachineInstanceCondition{{
			Type:   kubevirtv1.VirtualMachineInstanceConditionType(corev1.PodScheduled),
			Status: corev1.ConditionFalse, Reason: c.reason, Message: "3 Insufficient memory",
			LastTransitionTime: metav1.NewTime(now),
		}}
		if got := nodestate.InstanceOf(vmi); got.Unschedulable != c.want ||
			c.want != "" && !got.UnschedulableSince.Equal(now) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
