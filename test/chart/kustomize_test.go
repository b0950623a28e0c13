package chart

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What `kubectl apply -k` installs can't be taken away from under its members: whatever is deleted first, the refusal
// says what to do, and once that was done it can. Nothing changes when it is applied again, so that no GitOps tool
// finds a difference each time.
func TestKustomizationIsAppliedTwiceAndRemoved(t *testing.T) {
	const dir = root + "/config/default"
	must(t, kubectl, "apply", "-k", dir)
	awaitKinds(t)
	applied := versions(t)
	must(t, kubectl, "apply", "-k", dir)
	if again := versions(t); again != applied {
		t.Errorf("applied once\n%s\nand twice\n%s", applied, again)
	}
	checkTokens(t)
	stop := startController(t)
	createPool(t, "kustomized")
	awaitGuard(t, true)
	checkCollections(t)
	checkNamespaces(t)
	before := members(t)
	for attempt := range 2 { // the first one deletes the policies, which nothing can refuse; they stay in force
		out, err := run(t, kubectl, "delete", "-k", dir, "--wait=false")
		if err == nil || !strings.Contains(out, drainFirst) {
			t.Errorf("attempt %d: %v", attempt, err)
		}
		for _, kind := range []string{"clusterroles", "clusterrolebindings", "roles", "rolebindings", "serviceaccounts",
			"deployments", "namespaces", "customresourcedefinitions"} {
			if strings.Count(out, kind+" ")+strings.Count(out, kind+".") == 0 {
				t.Errorf("attempt %d: no refusal for %s:\n%s", attempt, kind, out)
			}
		}
	}
	if after := members(t); !maps.Equal(before, after) {
		t.Errorf("after the attempts members %v became %v", before, after)
	}
	stop()
	stop = restoreGuard(t, dir)
	if again := versions(t); strings.Count(again, "\n") != strings.Count(applied, "\n") {
		t.Errorf("applied\n%s\nand after the refusals, applied again\n%s", applied, again)
	}
	if out, err := run(t, kubectl, "delete", "-k", dir, "--wait=false"); err == nil || !strings.Contains(out, drainFirst) {
		t.Errorf("the restored installation isn't guarded: %v", err)
	}
	if after := members(t); !maps.Equal(before, after) {
		t.Errorf("restored, members %v became %v", before, after)
	}
	must(t, kubectl, "apply", "-k", dir) // brings back what the last refusal deleted
	installed := versions(t)
	if out, err := run(t, kubectl, "delete", "-k", dir, "--dry-run=server"); err == nil || versions(t) != installed {
		t.Errorf("a trial is not refused, or deletes something: %v\n%s", err, out)
	}
	follow(t, "kubectl delete nomadnodepools,nomadnodes --all --all-namespaces && sleep 5")
	stop()
	follow(t,
		"kubectl delete -k config/default --ignore-not-found --dry-run=server && kubectl delete -k config/default --ignore-not-found")
	if left := objects(t); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

// follow runs what docs/install.md says.
func follow(t *testing.T, commands ...string) { t.Helper(); followIn(t, "install.md", commands...) }

// followIn runs what one of the docs says, where config is, and returns the directory.
func followIn(t *testing.T, doc string, commands ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	config, err := filepath.Abs(root + "/config")
	if err == nil {
		err = os.Symlink(config, filepath.Join(dir, "config"))
	}
	if err != nil {
		t.Fatal(err)
	}
	manual := manual(t, doc)
	for _, command := range commands {
		if words := strings.Join(strings.Fields(command), " "); !strings.Contains(manual, words) {
			t.Errorf("docs/%s doesn't say: %s", doc, words)
		}
		must(t, "sh", "-c", "cd "+dir+" && "+command)
	}
	return dir
}

// manual is one of the docs, its lines joined.
func manual(t *testing.T, doc string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/docs/" + doc)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(string(text), "\\\n", "")), " ")
}

// restoreGuard does what docs/install.md says of an installation whose removal was refused, and waits until it is
// guarded as before.
func restoreGuard(t *testing.T, dir string) (stop func()) {
	t.Helper()
	_, manual, _ := strings.Cut(manual(t, "install.md"), "## If `kubectl delete -k` was refused")
	manual = strings.ReplaceAll(manual, "'", "")
	for _, command := range [][]string{
		{"patch", "validatingadmissionpolicies,validatingadmissionpolicybindings", "nomad-harvester-uninstall",
			"nomad-harvester-member-delete", "nomad-harvester-namespace-delete", "--type=merge", "-p",
			`{"metadata":{"finalizers":null}}`},
		{"apply", "-k", dir},
		{"-n", namespace, "rollout", "restart", "deployment", "nomad-harvester-controller"},
	} {
		must(t, kubectl, command...)
		words := "kubectl " + strings.ReplaceAll(strings.Join(command, " "), root+"/", "")
		_, rest, found := strings.Cut(manual, words)
		if !found {
			t.Errorf("docs/install.md doesn't say, in this order: %s", words)
		}
		manual = rest
	}
	stop = startController(t) // whose Pod the last command would have replaced
	eventually(t, "the policies to be there and guards", func(context.Context) error {
		guards := must(t, kubectl, "get", "validatingadmissionpolicies,validatingadmissionpolicybindings",
			"-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.finalizers} {.metadata.deletionTimestamp}{"\n"}{end}`)
		if n := strings.Count(guards, `["nomad.harvesterhci.io/in-use"] `+"\n"); n != 6 {
			return fmt.Errorf("%w: %d are guards:\n%s", errUnexpected, n, guards)
		}
		return nil
	})
	awaitGuard(t, true)
	return stop
}
