package chart

import (
	"maps"
	"strings"
	"testing"
)

// What `kubectl apply -k` installs can't be taken away from under its members: whatever is deleted first, the refusal says what to do,
// and once that was done it can. Nothing changes when it is applied again, so that no GitOps tool finds a difference each time.
func TestKustomizationIsAppliedTwiceAndRemoved(t *testing.T) {
	const dir = root + "/config/default"
	must(t, kubectl, "apply", "-k", dir)
	awaitKinds(t)
	applied := versions(t)
	must(t, kubectl, "apply", "-k", dir)
	if again := versions(t); again != applied {
		t.Errorf("applied once\n%s\nand twice\n%s", applied, again)
	}
	stop := startController(t)
	createPool(t, "kustomized")
	awaitGuard(t, true)
	checkCollections(t)
	before := members(t)
	for attempt := range 2 { // the first one deletes the policies, which nothing can refuse; they stay in force
		out, err := run(t, kubectl, "delete", "-k", dir, "--wait=false")
		if err == nil || !strings.Contains(out, drainFirst) {
			t.Errorf("attempt %d: %v", attempt, err)
		}
		for _, kind := range []string{"clusterroles", "clusterrolebindings", "roles", "rolebindings", "serviceaccounts", "deployments", "namespaces", "customresourcedefinitions"} {
			if strings.Count(out, kind+" ")+strings.Count(out, kind+".") == 0 {
				t.Errorf("attempt %d: no refusal for %s:\n%s", attempt, kind, out)
			}
		}
	}
	if after := members(t); !maps.Equal(before, after) {
		t.Errorf("after the attempts members %v became %v", before, after)
	}
	must(t, kubectl, "delete", "nomadnodepools,nomadnodes", "--all", "--all-namespaces", "--timeout=3m")
	awaitGuard(t, false)
	stop()
	must(t, kubectl, "delete", "-k", dir, "--ignore-not-found", "--timeout=1m")
	if left := objects(t); left != "" {
		t.Errorf("left:\n%s", left)
	}
}
