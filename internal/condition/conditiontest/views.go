// Package conditiontest shows what programs that know nothing of our kinds make of their conditions.
package conditiontest

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// T is a test, or a check of properties.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// View is what such a program shows of an object.
type View string

// The views.
const (
	// Active: kstatus' Current, and Rancher's active.
	Active View = "active"
	// UnderWay: kstatus' InProgress, and what Rancher shows as transitioning.
	UnderWay View = "under way"
	// Wrong: kstatus' Failed, and what Rancher shows as an error.
	Wrong View = "wrong"
)

// KStatus is what kstatus makes of conditions, by which Flux and others wait.
func KStatus(t T, all map[string]metav1.Condition) View {
	t.Helper()
	var conditions []any
	for kind, c := range all {
		conditions = append(conditions, map[string]any{
			"type": kind, "status": string(c.Status), "reason": c.Reason, "message": c.Message})
	}
	is, err := status.Compute(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "nomad.harvesterhci.io/v1alpha1", "kind": "NomadNode",
		"metadata": map[string]any{"name": "a", "namespace": "ns", "generation": int64(2)},
		"status":   map[string]any{"observedGeneration": int64(2), "conditions": conditions},
	}})
	if err != nil {
		t.Fatal(err)
	}
	switch is.Status {
	case status.CurrentStatus:
		return Active
	case status.InProgressStatus:
		return UnderWay
	default:
		return Wrong
	}
}

// What Rancher, and with it Harvester's UI, makes of a condition by its type (Rancher: wrangler v3.2.4,
// pkg/summary/summarizers.go and gvk.go). Other types tell it nothing.
var (
	// transitioningUnknown: False is an error, and Unknown is under way.
	transitioningUnknown = []string{"Active", "AddonDeploy", "AgentDeployed", "BackingNamespaceCreated", "Built",
		"CertsGenerated", "ConfigOK", "Created", "CreatorMadeOwner", "DefaultNamespaceAssigned",
		"DefaultNetworkPolicyCreated", "DefaultProjectCreated", "DockerProvisioned", "Deployed", "Drained", "Downloaded",
		"etcd", "Inactive", "Initialized", "Installed", "NodesCreated", "Pending", "PodScheduled", "Provisioned",
		"Reconciled", "Refreshed", "Registered", "Removed", "Saved", "Updated", "Updating", "Upgraded", "Waiting",
		"InitialRolesPopulated", "ScalingActive", "AbleToScale", "RunCompleted", "Processed"}
	// transitioningFalse: False is under way, and Unknown is an error.
	transitioningFalse = []string{"Completed", "Ready", "Available", "BootstrapReady", "InfrastructureReady",
		"NodeHealthy"}
	// errorTrue: True is an error.
	errorTrue = []string{"OutOfDisk", "MemoryPressure", "DiskPressure", "NetworkUnavailable", "KernelHasNoDeadlock",
		"Unschedulable", "ReplicaFailure", "Stalled"}
)

// Rancher is what Rancher makes of conditions. What it calls both an error and under way is shown as an error.
func Rancher(all map[string]metav1.Condition) View {
	view := Active
	for kind, c := range all {
		switch {
		case c.Reason == "Error",
			slices.Contains(errorTrue, kind) && c.Status == metav1.ConditionTrue,
			kind == "Failed" && c.Status == metav1.ConditionFalse,
			slices.Contains(transitioningUnknown, kind) && c.Status == metav1.ConditionFalse,
			slices.Contains(transitioningFalse, kind) && c.Status == metav1.ConditionUnknown:
			return Wrong
		case kind == "Reconciling" && c.Status == metav1.ConditionTrue,
			slices.Contains(transitioningUnknown, kind) && c.Status == metav1.ConditionUnknown,
			slices.Contains(transitioningFalse, kind) && c.Status == metav1.ConditionFalse:
			view = UnderWay
		}
	}
	return view
}

// Check fails the test if one of these programs shows something else than Ready and Stalled say: an error is only
// what waits for a person, or what nobody can tell.
func Check(t T, all map[string]metav1.Condition) {
	t.Helper()
	kstatus, rancher := Active, Active
	switch ready, stalled := all["Ready"], all["Stalled"]; {
	case stalled.Status == metav1.ConditionTrue:
		kstatus, rancher = Wrong, Wrong
	case ready.Status == metav1.ConditionUnknown:
		kstatus, rancher = UnderWay, Wrong
	case ready.Status == metav1.ConditionFalse:
		kstatus, rancher = UnderWay, UnderWay
	}
	if got := KStatus(t, all); got != kstatus {
		t.Errorf("kstatus: %s, want %s of %+v", got, kstatus, all)
	}
	if got := Rancher(all); got != rancher {
		t.Errorf("Rancher: %s, want %s of %+v", got, rancher, all)
	}
}
