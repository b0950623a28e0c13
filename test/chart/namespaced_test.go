package chart

import (
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

const account = "system:serviceaccount:" + namespace + ":nomad-harvester-controller"

// A controller for some namespaces has no right to write in others, misses none, and does what it is for. A pool of
// another namespace gets nothing, but keeps the kinds from being deleted under it.
func TestAControllerOfSomeNamespaces(t *testing.T) {
	const second, third = "team-b", "team-c"
	for _, name := range []string{second, third} {
		must(t, kubectl, "create", "namespace", name)
	}
	follow(t, "kubectl apply -k config/namespaced",
		"kubectl apply -n nomad-clients -f config/namespaced/role_binding.yaml")
	must(t, kubectl, "apply", "-n", second, "-f", root+"/config/namespaced/role_binding.yaml")
	awaitKinds(t)
	flags := must(t, kubectl, "-n", namespace, "get", "deployment", "nomad-harvester-controller", "-o",
		"jsonpath={.spec.template.spec.containers[0].args}")
	if !strings.Contains(flags, `"--namespaces=nomad-clients"`) {
		t.Errorf("the Deployment has %s", flags)
	}
	c, stop := controllerWith(t, "--namespaces="+fixtures.Namespace+","+second, "--gc-interval=2s", "--gc-grace-period=6s")
	lone := poolIn(third, "lone")
	if err := w.Client.Create(t.Context(), lone); err != nil {
		t.Fatal(err)
	}
	createPool(t, "first")
	other := poolIn(second, "second")
	if err := w.Client.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	awaitMembers(t, other)
	checkRightsIn(t, third, false)
	checkRightsIn(t, second, true)
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(lone), lone); err != nil ||
		lone.Status.Replicas != 0 || len(lone.Status.Conditions) > 0 || len(lone.Finalizers) > 0 {
		t.Errorf("a pool of no namespace of the controller's got %+v: %v", lone.Status, err)
	}
	must(t, kubectl, "delete", "nomadnodepools,nomadnodes", "--all", "-n", fixtures.Namespace, "--timeout=3m")
	must(t, kubectl, "delete", "nomadnodepools,nomadnodes", "--all", "-n", second, "--timeout=3m")
	awaitGuard(t, true) // the last one is that pool
	must(t, kubectl, "delete", "nomadnodepools", "--all", "-n", third, "--timeout=1m")
	stop()
	checkNothingForbidden(t, c.Spec.LogFile)

	c, stop = controllerWith(t, "--namespaces="+fixtures.Namespace+","+second)
	awaitGuard(t, false)
	stop()
	checkNothingForbidden(t, c.Spec.LogFile)
	must(t, kubectl, "delete", "rolebinding", "nomad-harvester-controller-namespaces", "-n", fixtures.Namespace)
	must(t, kubectl, "delete", "namespace", second, third)
	must(t, kubectl, "delete", "-k", root+"/config/namespaced", "--ignore-not-found")
	if left := objects(t); left != "" {
		t.Errorf("left:\n%s", left)
	}
}

func checkRightsIn(t *testing.T, where string, want bool) {
	t.Helper()
	for _, right := range [][]string{
		{"create", "virtualmachines.kubevirt.io"}, {"delete", "virtualmachines.kubevirt.io"}, {"get", "secrets"},
		{"create", "secrets"}, {"delete", "persistentvolumeclaims"}, {"patch", "nomadnodepools.nomad.harvesterhci.io"},
		{"create", "nomadnodes.nomad.harvesterhci.io"}, {"create", "events.events.k8s.io"},
	} {
		out, err := run(t, kubectl, "auth", "can-i", right[0], right[1], "-n", where, "--as="+account)
		if may := err == nil; may != want {
			t.Errorf("the controller may %s in %s: %v, want %v: %s", right, where, may, want, out)
		}
	}
}

// checkNothingForbidden reads what a controller has logged.
func checkNothingForbidden(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil || len(text) == 0 {
		t.Fatalf("the log has %d bytes: %v", len(text), err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(strings.ToLower(line), "forbidden") {
			t.Errorf("the controller lacks a right: %s", line)
		}
	}
}

// Helm installs the same for the namespaces that it is given.
func TestChartForSomeNamespaces(t *testing.T) {
	some := must(t, helm, "template", release, chart, "--namespace", "elsewhere", "--set", "namespaces={a,b}")
	all := must(t, helm, "template", release, chart, "--namespace", "elsewhere")
	bound := map[string]int{}
	for manifests, everywhere := range map[string]bool{some: false, all: true} {
		for _, o := range decoded(t, manifests) {
			role, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
			if role != "nomad-harvester-controller-namespaces" {
				continue
			}
			bound[o.GetKind()+" "+o.GetNamespace()]++
			if everywhere != (o.GetKind() == "ClusterRoleBinding") {
				t.Errorf("bound by %s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName())
			}
		}
		if got := strings.Contains(manifests, `"--namespaces=a,b"`); got == everywhere {
			t.Errorf("the flag is there: %v", got)
		}
	}
	if bound["RoleBinding a"] != 1 || bound["RoleBinding b"] != 1 || bound["ClusterRoleBinding "] != 1 {
		t.Errorf("bound are %v", bound)
	}
}

// Policies and bindings know the controller by its namespace, so the chart leaves no other one in them.
func TestChartNamesItsNamespaceAlone(t *testing.T) {
	out := must(t, helm, "template", release, chart, "--namespace", "elsewhere")
	for _, object := range documents(out) {
		if strings.Contains(object, namespace) {
			t.Errorf("%s is named in\n%s", namespace, object)
		}
	}
	if n := strings.Count(out, "system:serviceaccount:elsewhere:nomad-harvester-controller"); n < 4 {
		t.Errorf("%d policies know the controller", n)
	}
}

// Helm installs the same ranges that kustomize does, and those that it is given.
func TestChartNamesTheClustersRanges(t *testing.T) {
	for want, set := range map[string]string{
		`"--nomad-denied-cidrs=10.52.0.0/16,10.53.0.0/16"`:                               "replicas=2",
		`"--nomad-denied-cidrs=10.0.0.0/8,fd00::/8","--nomad-allowed-cidrs=10.1.2.3/32"`: "nomad.deniedCIDRs={10.0.0.0/8,fd00::/8},nomad.allowedCIDRs={10.1.2.3/32}",
	} {
		if out := must(t, helm, "template", release, chart, "--set", set); !strings.Contains(out, want) {
			t.Errorf("%s gives no %s", set, want)
		}
	}
	if out, err := run(t, helm, "template", release, chart, "--set", "nomad.deniedCIDRs={10.53.0.0}"); err == nil {
		t.Errorf("what is no range is taken: %s", out)
	}
}

// The autoscaler's account makes Events of dry runs where it was asked for, and nowhere by itself.
func TestDryRunEventsAreBoundWhereAskedFor(t *testing.T) {
	template := []string{"template", release, chart, "--namespace", "other"}
	bound := func(args ...string) (bindings []string) {
		t.Helper()
		for _, object := range documents(must(t, helm, append(template, args...)...)) {
			if strings.Contains(object, "kind: RoleBinding") && strings.Contains(object, "name: nomad-harvester-autoscaler") {
				bindings = append(bindings, object)
			}
		}
		return bindings
	}
	if got := bound(); len(got) > 0 {
		t.Errorf("by default there are\n%s", got)
	}
	got := bound("--set", "autoscaler.dryRunEvents={team-b,team-c}")
	if len(got) != 2 || !strings.Contains(got[0], "namespace: team-b") || !strings.Contains(got[1], "namespace: team-c") {
		t.Fatalf("want one for each namespace, got\n%s", got)
	}
	file, err := os.ReadFile(root + "/config/autoscaler/events_role_binding.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"\n  name: nomad-harvester-autoscaler-events\n", "namespace: other"} {
		if !strings.Contains(got[0], part) {
			t.Errorf("%q isn't in\n%s", part, got[0])
		}
	}
	if !strings.Contains(string(file), "\n  name: nomad-harvester-autoscaler-events\n") {
		t.Errorf("the file binds another role:\n%s", file)
	}
	out, err := run(t, helm, append(template, "--set", "autoscaler.dryRunEvents={team-b}", "--set", "autoscaler.enabled=false")...)
	if err == nil || !strings.Contains(out, "dryRunEvents names namespaces (team-b)") || !strings.Contains(out, "autoscaler.enabled=true") {
		t.Errorf("without an account: %v\n%s", err, out)
	}
}
