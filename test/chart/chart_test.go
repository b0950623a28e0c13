package chart

import (
	"maps"
	"regexp"
	"strings"
	"testing"
)

const (
	chart     = root + "/charts/nomad-harvester"
	namespace = "nomad-harvester-system"
	release   = "nomad-harvester"
	// drainFirst is what every refusal names.
	drainFirst = "kubectl delete nomadnodepools,nomadnodes --all --all-namespaces"
)

// The chart is installed and upgraded with a pool running, and removed by the documented way: the pools first.
func TestChartIsInstalledUpgradedAndRemoved(t *testing.T) {
	older := must(t, helm, "package", chart, "--version", "0.0.1", "--app-version", "0.0.1", "--destination", t.TempDir())
	must(t, helm, "install", release, packaged(t, older), "--namespace", namespace, "--create-namespace")
	stop := startController(t)
	createPool(t, "charted")
	before := members(t)

	must(t, helm, "upgrade", release, chart, "--namespace", namespace)
	upgraded := versions(t)
	must(t, helm, "upgrade", release, chart, "--namespace", namespace)
	if again := versions(t); again != upgraded {
		t.Errorf("a second upgrade has changed something; before it\n%s\nafter it\n%s", upgraded, again)
	}
	if after := members(t); !maps.Equal(before, after) {
		t.Errorf("members %v became %v", before, after)
	}

	awaitGuard(t, true)
	guarded := versions(t)
	for range 2 { // the second release is the first one's copy, with its refusal
		out, err := run(t, helm, "uninstall", release, "--namespace", namespace)
		if err == nil || !strings.Contains(out, drainFirst) {
			t.Errorf("the release was uninstalled under its members, or nothing says what to do: %v\n%s", err, out)
		}
		must(t, helm, rollback(t, out)...)
		must(t, helm, "upgrade", release, chart, "--namespace", namespace)
		if again := versions(t); again != guarded {
			t.Errorf("an attempt to uninstall, and its repair, have changed something; before them\n%s\nafter them\n%s", guarded,
				again)
		}
	}
	if after := members(t); !maps.Equal(before, after) {
		t.Errorf("after the attempt members %v became %v", before, after)
	}
	must(t, kubectl, "delete", "nomadnodepools,nomadnodes", "--all", "--all-namespaces", "--timeout=3m")
	awaitGuard(t, false)
	must(t, helm, "uninstall", release, "--namespace", namespace)
	stop()
	if left := objects(t); strings.Count(left, "\n") != 2 || !strings.Contains(left, "customresourcedefinition") {
		t.Errorf("left, beside the two kinds that the chart keeps:\n%s", left)
	}
	must(t, kubectl, "delete", "crd", "nomadnodepools.nomad.harvesterhci.io", "nomadnodes.nomad.harvesterhci.io",
		"--timeout=1m")
}

// rollback finds the command that a refusal names for those who keep the release: Helm upgrades none that it began to
// uninstall.
func rollback(t *testing.T, refusal string) []string {
	t.Helper()
	found := regexp.MustCompile(`helm (rollback [^(]*) \(`).FindStringSubmatch(refusal)
	if found == nil {
		t.Fatalf("nothing says how to keep the release:\n%s", refusal)
	}
	return strings.Fields(found[1])
}

// packaged finds the path in what `helm package` prints.
func packaged(t *testing.T, out string) string {
	t.Helper()
	_, path, found := strings.Cut(strings.TrimSpace(out), "saved it to: ")
	if !found {
		t.Fatalf("no path in %q", out)
	}
	return path
}

// Kubernetes 1.29 has no admission policies of version v1: all else can be installed, and whoever forgets that is
// reported.
func TestInstallationBeforeKubernetes130(t *testing.T) {
	old := []string{"template", release, chart, "--namespace", namespace, "--kube-version", "1.29.9"}
	if out, err := run(t, helm, old...); err == nil || !strings.Contains(out, "--set admission.enabled=false") {
		t.Errorf("want a refusal that says what to set: %v\n%s", err, out)
	}
	must(t, helm, append(old, "--set", "admission.enabled=false")...)

	const parts = "for part in crd manager rbac; do kubectl apply -k config/$part; done"
	if !strings.Contains(manual(t, "install.md"), parts) {
		t.Errorf("docs/install.md doesn't say: %s", parts)
	}
	all := must(t, kubectl, "kustomize", root+"/config/default")
	for _, part := range []string{"crd", "manager", "rbac", "admission"} {
		for object := range strings.SplitSeq(must(t, kubectl, "kustomize", root+"/config/"+part), "\n---\n") {
			before := len(all)
			if all = strings.Replace(all, strings.TrimSpace(object), "", 1); len(all) == before {
				t.Errorf("config/default lacks of config/%s\n%s", part, object)
			}
		}
	}
	if rest := strings.Trim(all, "-\n"); rest != "" {
		t.Errorf("config/default has more than these parts:\n%s", rest)
	}
}
