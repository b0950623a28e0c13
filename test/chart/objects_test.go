package chart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// kinds are those of which an installation consists. Helm's own records and what the controller makes for its leader
// election aren't among them.
const kinds = "customresourcedefinitions,clusterroles,clusterrolebindings," +
	"validatingadmissionpolicies,validatingadmissionpolicybindings," +
	"roles,rolebindings,serviceaccounts,deployments,services,poddisruptionbudgets,networkpolicies,priorityclasses"

// listed are the objects of the installation that are there, a line each, with what the format adds. The account
// "default" is of every namespace.
func listed(t *testing.T, format string) string {
	t.Helper()
	all := must(t, kubectl, "get", kinds, "--all-namespaces", "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}`+format+`{"\n"}{end}`)
	mentions := slices.DeleteFunc(slices.Collect(strings.Lines(strings.ToLower(all))), func(line string) bool {
		return strings.Contains(line, "/default") ||
			!strings.Contains(line, "/nomad-harvester-") && !strings.Contains(line, "nomad.harvesterhci.io")
	})
	return strings.Join(mentions, "")
}

func objects(t *testing.T) string { t.Helper(); return listed(t, "") }

// versions change with each write of what was asked for: of what has no generation, with each write.
func versions(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(listed(t, " {.metadata.resourceVersion} {.metadata.generation}")) {
		if f := strings.Fields(line); len(f) == 4 {
			fmt.Fprintln(&out, f[0], f[1], "generation", f[3])
		} else {
			fmt.Fprint(&out, line)
		}
	}
	return out.String()
}

var errUnexpected = errors.New("not what is awaited")

// awaitGuard waits until the API server refuses to have a part of the installation deleted, or lets it: it takes a
// second to notice that the controller has armed or disarmed the policy.
func awaitGuard(t *testing.T, armed bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("the installation to be guarded: %v", armed), func(ctx context.Context) error {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "nomad-harvester-controller"}}
		err := w.Client.Delete(ctx, role, client.DryRunAll)
		if refused := apierrors.IsInvalid(err); refused != armed {
			return fmt.Errorf("deleting %s: %w", role.Name, errors.Join(errUnexpected, err))
		}
		return nil
	})
}

// Whoever deletes collections names no object: what is guarded is known by itself, and what isn't goes. (Namespaces
// can't be deleted so.)
func checkCollections(t *testing.T) {
	t.Helper()
	const guarded, other = "nomad-harvester-controller", "a-neighbour"
	for _, neighbour := range []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: other}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: guarded}},
	} {
		if err := w.Client.Create(t.Context(), neighbour); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Client.Delete(t.Context(), neighbour) }()
	}
	kind := &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}}
	for _, test := range []struct {
		of              client.Object
		namespace, name string
		refused         bool
	}{
		{&appsv1.Deployment{}, namespace, guarded, true},
		{&corev1.ServiceAccount{}, namespace, guarded, true},
		{&corev1.ServiceAccount{}, namespace, other, false},
		{&corev1.ServiceAccount{}, metav1.NamespaceDefault, guarded, false},
		{&rbacv1.Role{}, namespace, guarded, true},
		{&rbacv1.RoleBinding{}, namespace, guarded, true},
		{&rbacv1.ClusterRole{}, "", guarded, true},
		{&rbacv1.ClusterRole{}, "", "nomad-harvester-view", false},
		{&rbacv1.ClusterRoleBinding{}, "", guarded, true},
		{kind, "", "nomadnodepools.nomad.harvesterhci.io", true},
		{kind, "", "nomadnodes.nomad.harvesterhci.io", true},
	} {
		err := w.Client.DeleteAllOf(t.Context(), test.of, client.InNamespace(test.namespace),
			client.MatchingFields{"metadata.name": test.name}, client.DryRunAll)
		if refused := apierrors.IsInvalid(err); refused != test.refused || err != nil && !refused {
			t.Errorf("the collection of %T that is %s/%s: want a refusal %v, got %v", test.of, test.namespace, test.name,
				test.refused, err)
		}
	}
}

func awaitKinds(t *testing.T) {
	t.Helper()
	must(t, kubectl, "wait", "--for=condition=Established", "--timeout=1m", "crd/nomadnodepools.nomad.harvesterhci.io",
		"crd/nomadnodes.nomad.harvesterhci.io")
}

// A namespace with members stays, and whoever deletes it hears it once, not for each of them; others go.
func checkNamespaces(t *testing.T) {
	t.Helper()
	out, err := run(t, kubectl, "delete", "namespace", fixtures.Namespace, "--dry-run=server")
	if reports := "kubectl -n " + fixtures.Namespace + " delete nomadnodepools,nomadnodes --all ("; err == nil ||
		strings.Count(out, reports) != 1 {
		t.Errorf("want one refusal with the command %q: %v\n%s", reports, err, out)
	}
	must(t, kubectl, "create", "namespace", "without-members")
	must(t, kubectl, "delete", "namespace", "without-members", "--wait=false")
}

// The tokens that docs/autoscaler.md makes are the autoscaler's.
func checkTokens(t *testing.T) {
	t.Helper()
	for _, commands := range [][]string{
		{"(umask 077 && kubectl -n nomad-harvester-system create token nomad-harvester-autoscaler --duration=48h > " +
			"harvester-token.new && mv harvester-token.new harvester-token)"},
		{
			"kubectl apply -n nomad-harvester-system -f config/autoscaler/token.yaml",
			"until kubectl -n nomad-harvester-system get secret nomad-harvester-autoscaler-token -o jsonpath='{.data.token}' | grep -q .; do sleep 1; done",
			"(umask 077 && kubectl -n nomad-harvester-system get secret nomad-harvester-autoscaler-token -o go-template='{{.data.token | base64decode}}' > harvester-token)",
		},
	} {
		commands = append(commands,
			`kubectl -n nomad-harvester-system get configmap kube-root-ca.crt -o jsonpath='{.data.ca\.crt}' > harvester-ca.pem`)
		dir := followIn(t, "autoscaler.md", commands...)
		file := filepath.Join(dir, "harvester-token")
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v: %v", info, err)
		}
		who := must(t, "sh", "-c",
			"KUBECONFIG=/dev/null kubectl --server="+w.RESTConfig.Host+
				" --certificate-authority="+dir+"/harvester-ca.pem --token=$(cat "+file+") auth whoami")
		if !strings.Contains(who, "system:serviceaccount:nomad-harvester-system:nomad-harvester-autoscaler") {
			t.Errorf("by %s it is\n%s", commands, who)
		}
	}
}
