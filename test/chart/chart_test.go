package chart

import (
	"maps"
	"regexp"
	"slices"
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
	checkNothingAggregated(t, must(t, helm, append(old, "--set", "admission.enabled=false")...))

	const without = "kubectl apply -k config/without-admission"
	if !strings.Contains(manual(t, "install.md"), without) {
		t.Errorf("docs/install.md doesn't say: %s", without)
	}
	left := must(t, kubectl, "kustomize", root+"/config/without-admission")
	checkNothingAggregated(t, left)
	// With the policies and that role, it is all of the installation.
	all := must(t, kubectl, "kustomize", root+"/config/default")
	whole := slices.Concat(documents(left), documents(must(t, kubectl, "kustomize", root+"/config/admission")))
	for _, object := range documents(all) {
		if i := slices.Index(whole, object); i >= 0 {
			whole = slices.Delete(whole, i, i+1)
		} else if !strings.Contains(object, editRole) {
			t.Errorf("without the policies this is missing as well:\n%s", object)
		}
	}
	if len(whole) != 1 || !strings.Contains(whole[0], editRole) {
		t.Errorf("config/default lacks\n%s", strings.Join(whole, "\n---\n"))
	}
}

const editRole = "\n  name: nomad-harvester-edit\n"

// checkNothingAggregated reports if somebody could make pools because he may edit other things of a namespace, without a
// policy that holds the pools to the rights that he has.
func checkNothingAggregated(t *testing.T, manifests string) {
	t.Helper()
	found := false
	for _, object := range documents(manifests) {
		found = found || strings.Contains(object, editRole)
		if strings.Contains(object, "aggregate-to-edit") || strings.Contains(object, "aggregate-to-admin") {
			t.Errorf("without admission policies this is aggregated:\n%s", object)
		}
		if strings.Contains(object, "kind: ValidatingAdmissionPolicy") {
			t.Errorf("a policy:\n%s", object)
		}
	}
	if !found {
		t.Error("there is no role that the operator could bind")
	}
}

// documents are the objects of a stream of YAML.
func documents(manifests string) []string {
	var all []string
	for object := range strings.SplitSeq("\n"+manifests, "\n---\n") {
		if object = strings.TrimSpace(object); object != "" {
			all = append(all, object)
		}
	}
	return all
}
