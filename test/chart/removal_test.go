package chart

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

const disarm = `kubectl patch validatingadmissionpolicybinding nomad-harvester-uninstall --type=merge ` +
	`-p '{"spec":{"validationActions":["Warn"]}}' && sleep 5`

// An installation whose controller has never run is guarded, for there may be members of an earlier one. The refusal
// claims no others, and says how to go on.
func TestInstallationThatNeverRanIsRemoved(t *testing.T) {
	for range 2 { // to install it again arms it again
		must(t, helm, "install", release, chart, "--namespace", namespace, "--create-namespace")
		awaitGuard(t, true)
		out, err := run(t, helm, "uninstall", release, "--namespace", namespace)
		if err == nil || !strings.Contains(out, "or the controller has never run") {
			t.Fatalf("want a refusal that doesn't claim what it doesn't know: %v\n%s", err, out)
		}
		command := regexp.MustCompile(`first: (kubectl patch .* && sleep \d+)`).FindStringSubmatch(out)
		if command == nil || command[1] != disarm {
			t.Fatalf("the refusal doesn't say how to disarm it by %s:\n%s", disarm, out)
		}
		follow(t, disarm)
		must(t, helm, "uninstall", release, "--namespace", namespace)
	}
	must(t, kubectl, "delete", "crd", "nomadnodepools.nomad.harvesterhci.io", "nomadnodes.nomad.harvesterhci.io",
		"--timeout=1m")
	if left := objects(t); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

// Whoever wants to be rid of the controller alone keeps the VMs, as docs/install.md says.
func TestMembersAreLeftRunning(t *testing.T) {
	must(t, kubectl, "apply", "-k", root+"/config/default")
	awaitKinds(t)
	stop := startController(t)
	createPool(t, "left")
	awaitGuard(t, true)
	running := func() string {
		return must(t, kubectl, "-n", fixtures.Namespace, "get", "vmi", "--sort-by=.metadata.name", "-o",
			"jsonpath={.items[*].metadata.uid}")
	}
	before := running()
	stop() // the Deployment has no Pods here
	follow(
		t,
		"kubectl -n nomad-harvester-system scale deployment nomad-harvester-controller --replicas=0",
		"kubectl -n nomad-harvester-system wait pod -l app.kubernetes.io/name=nomad-harvester --for=delete --timeout=2m",
		disarm,
		`kubectl patch validatingadmissionpolicies,validatingadmissionpolicybindings nomad-harvester-uninstall nomad-harvester-member-delete nomad-harvester-namespace-delete --type=merge -p '{"metadata":{"finalizers":null}}'`,
		`kubectl get nomadnodes -A -o custom-columns=:.metadata.namespace,:.metadata.name --no-headers | `+
			`while read -r namespace name; do
		kubectl -n "$namespace" patch nomadnode "$name" --type=merge -p '{"metadata":{"finalizers":null}}'; done`,
		"kubectl delete -k config/default --ignore-not-found",
	)
	if left := objects(t); left != "" {
		t.Errorf("left:\n%s", left)
	}
	if after := running(); len(strings.Fields(before)) != 2 || before != after {
		t.Errorf("guests %s became %s", before, after)
	}
	must(t, kubectl, "-n", fixtures.Namespace, "delete", "vm", "--all", "--timeout=1m")
}
