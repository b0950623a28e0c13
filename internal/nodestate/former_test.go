package nodestate

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A record that an earlier version wrote last says by its conditions what this one has fields for.
func TestRecordsOfEarlierVersionsAreRead(t *testing.T) {
	n := &v1alpha1.NomadNode{}
	n.Status.VM.UID = "vm"
	n.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.NodeVMReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonVMStopped},
		{Type: v1alpha1.NodeJoined, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNodeIDTaken},
		{Type: v1alpha1.NodeDrainCompleted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeadline},
	}
	if r := Of(n); r.BlockedBy != v1alpha1.BlockedByHalt || !r.IDTaken || r.DrainResult != v1alpha1.DrainDeadlinePassed {
		t.Errorf("got %q, %t, %q", r.BlockedBy, r.IDTaken, r.DrainResult)
	}
	n.Status.BlockedBy, n.Status.DrainResult = v1alpha1.BlockedByRemoval, v1alpha1.DrainEmpty
	if r := Of(n); r.BlockedBy != v1alpha1.BlockedByRemoval || r.DrainResult != v1alpha1.DrainEmpty {
		t.Errorf("of its own: %q, %q", r.BlockedBy, r.DrainResult)
	}
	n.Status.Nomad.IDTaken, n.Status.Conditions[1].Status, n.Status.Conditions[1].Reason = true, metav1.ConditionTrue, "Registered"
	if r := Of(n); r.IDTaken {
		t.Error("of an earlier version that came back, and left the field as it was: taken")
	}
	n.Status.Conditions, n.Status.DrainResult = nil, ""
	if r := Of(n); r.Drained || r.DrainResult != "" {
		t.Errorf("of one that isn't drained: %+v", r)
	}
}

func TestCausesOfEarlierVersions(t *testing.T) {
	for reason, want := range map[string]struct{ unmade, made v1alpha1.BlockedCause }{
		"":                               {},
		v1alpha1.ReasonProvisioning:      {},
		v1alpha1.ReasonVMStarting:        {},
		v1alpha1.ReasonVMRunning:         {},
		v1alpha1.ReasonVMAboveQuota:      {v1alpha1.BlockedByCapacity, v1alpha1.BlockedByCapacity},
		v1alpha1.ReasonVMUnschedulable:   {v1alpha1.BlockedByCapacity, v1alpha1.BlockedByCapacity},
		v1alpha1.ReasonVMStopped:         {v1alpha1.BlockedByHalt, v1alpha1.BlockedByHalt},
		v1alpha1.ReasonDeleteStuck:       {v1alpha1.BlockedByRemoval, v1alpha1.BlockedByRemoval},
		v1alpha1.ReasonImageNotReady:     {v1alpha1.BlockedByTemplate, ""},
		v1alpha1.ReasonTemplateInvalid:   {v1alpha1.BlockedByTemplate, ""},
		v1alpha1.ReasonAdmissionDenied:   {v1alpha1.BlockedByAdmission, ""},
		v1alpha1.ReasonQuotaExceeded:     {v1alpha1.BlockedByQuota, ""},
		v1alpha1.ReasonIntroductionToken: {v1alpha1.BlockedByToken, ""},
		v1alpha1.ReasonVMNameTaken:       {v1alpha1.BlockedByName, ""},
		v1alpha1.ReasonNodeIDTaken:       {v1alpha1.BlockedByNodeID, ""},
		v1alpha1.ReasonCreateFailed:      {v1alpha1.BlockedByFailure, ""},
		"Meteorite":                      {v1alpha1.BlockedByFailure, ""},
	} {
		if unmade, made := formerCause(reason, false), formerCause(reason, true); unmade != want.unmade || made != want.made {
			t.Errorf("%s: %q without a VM, %q with one", reason, unmade, made)
		}
	}
}
