package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// Each is a verb, a resource with its group, and where: "here" is the pools' namespace, "elsewhere" one in which
// plugin, viewer and editor have no rights, and "cluster" is for what is in no namespace.
var (
	mayNot = map[string]string{
		"controller": `
			list secrets here
			watch secrets here
			update secrets here
			deletecollection secrets here
			create serviceaccounts here
			create serviceaccounts/token here
			get configmaps here
			get pods here
			create pods here
			create pods/exec here
			create pods/eviction here
			create persistentvolumeclaims here
			patch persistentvolumeclaims here
			patch resourcequotas here
			update virtualmachines.kubevirt.io here
			deletecollection virtualmachines.kubevirt.io here
			patch virtualmachineinstances.kubevirt.io here
			delete virtualmachineinstances.kubevirt.io here
			create datavolumes.cdi.kubevirt.io here
			create nomadnodepools.nomad.harvesterhci.io here
			delete nomadnodepools.nomad.harvesterhci.io here
			update nomadnodepools.nomad.harvesterhci.io here
			patch nomadnodepools.nomad.harvesterhci.io/scale here
			deletecollection nomadnodes.nomad.harvesterhci.io here
			list virtualmachineimages.harvesterhci.io elsewhere
			patch virtualmachineimages.harvesterhci.io elsewhere
			create virtualmachinetemplates.harvesterhci.io elsewhere
			delete network-attachment-definitions.k8s.cni.cncf.io elsewhere
			patch deployments.apps elsewhere
			update leases.coordination.k8s.io elsewhere
			create roles.rbac.authorization.k8s.io here
			create rolebindings.rbac.authorization.k8s.io here
			create clusterrolebindings.rbac.authorization.k8s.io cluster
			patch clusterroles.rbac.authorization.k8s.io cluster
			patch nodes cluster
			list nodes cluster
			delete namespaces cluster
			patch namespaces cluster
			patch storageclasses.storage.k8s.io cluster
			delete customresourcedefinitions.apiextensions.k8s.io cluster
			patch validatingadmissionpolicies.admissionregistration.k8s.io cluster
			delete validatingadmissionpolicies.admissionregistration.k8s.io cluster
			create validatingadmissionpolicybindings.admissionregistration.k8s.io cluster
			create certificatesigningrequests.certificates.k8s.io cluster`,
		"plugin": `
			list nomadnodepools.nomad.harvesterhci.io here
			watch nomadnodepools.nomad.harvesterhci.io here
			create nomadnodepools.nomad.harvesterhci.io here
			update nomadnodepools.nomad.harvesterhci.io here
			patch nomadnodepools.nomad.harvesterhci.io here
			delete nomadnodepools.nomad.harvesterhci.io here
			get nomadnodepools.nomad.harvesterhci.io/scale here
			update nomadnodepools.nomad.harvesterhci.io/scale here
			patch nomadnodepools.nomad.harvesterhci.io/status here
			get nomadnodes.nomad.harvesterhci.io here
			patch nomadnodes.nomad.harvesterhci.io here
			delete nomadnodes.nomad.harvesterhci.io here
			get secrets here
			get virtualmachines.kubevirt.io here
			delete virtualmachines.kubevirt.io here
			create events here
			create events.events.k8s.io here
			patch events.events.k8s.io here
			deletecollection nomadnodepools.nomad.harvesterhci.io here
			get nomadnodepools.nomad.harvesterhci.io/status here
			list nomadnodes.nomad.harvesterhci.io here
			create nomadnodes.nomad.harvesterhci.io here
			list secrets here
			create virtualmachines.kubevirt.io here
			patch virtualmachines.kubevirt.io here
			get persistentvolumeclaims here
			get configmaps here
			create serviceaccounts/token here
			create rolebindings.rbac.authorization.k8s.io here
			list nodes cluster
			patch namespaces cluster
			get nomadnodepools.nomad.harvesterhci.io elsewhere
			patch nomadnodepools.nomad.harvesterhci.io/scale elsewhere`,
		"viewer": `
			create nomadnodepools.nomad.harvesterhci.io here
			patch nomadnodepools.nomad.harvesterhci.io here
			delete nomadnodepools.nomad.harvesterhci.io here
			patch nomadnodepools.nomad.harvesterhci.io/scale here
			patch nomadnodepools.nomad.harvesterhci.io/status here
			create nomadnodes.nomad.harvesterhci.io here
			patch nomadnodes.nomad.harvesterhci.io here
			delete nomadnodes.nomad.harvesterhci.io here
			update nomadnodepools.nomad.harvesterhci.io here
			deletecollection nomadnodepools.nomad.harvesterhci.io here
			update nomadnodepools.nomad.harvesterhci.io/scale here
			update nomadnodes.nomad.harvesterhci.io here
			deletecollection nomadnodes.nomad.harvesterhci.io here
			patch nomadnodes.nomad.harvesterhci.io/status here
			get secrets here
			list secrets here
			watch secrets here
			create secrets here
			create configmaps here
			create pods here
			delete pods here
			create persistentvolumeclaims here
			delete persistentvolumeclaims here
			create virtualmachines.kubevirt.io here
			patch virtualmachines.kubevirt.io here
			delete virtualmachines.kubevirt.io here
			create serviceaccounts/token here
			create rolebindings.rbac.authorization.k8s.io here
			get nomadnodepools.nomad.harvesterhci.io elsewhere
			list nomadnodes.nomad.harvesterhci.io elsewhere
			patch validatingadmissionpolicies.admissionregistration.k8s.io cluster`,
		"editor": `
			create nomadnodes.nomad.harvesterhci.io here
			update nomadnodes.nomad.harvesterhci.io here
			deletecollection nomadnodes.nomad.harvesterhci.io here
			patch nomadnodes.nomad.harvesterhci.io/status here
			patch nomadnodepools.nomad.harvesterhci.io/status here
			create nomadnodepools.nomad.harvesterhci.io elsewhere
			patch nomadnodepools.nomad.harvesterhci.io elsewhere
			delete nomadnodepools.nomad.harvesterhci.io elsewhere
			patch nomadnodepools.nomad.harvesterhci.io/scale elsewhere
			patch nomadnodes.nomad.harvesterhci.io elsewhere
			delete nomadnodes.nomad.harvesterhci.io elsewhere
			update nomadnodes.nomad.harvesterhci.io/finalizers here
			update nomadnodepools.nomad.harvesterhci.io/finalizers here
			update nomadnodepools.nomad.harvesterhci.io/status here
			get secrets elsewhere
			create virtualmachines.kubevirt.io elsewhere
			create roles.rbac.authorization.k8s.io here
			create rolebindings.rbac.authorization.k8s.io here
			delete rolebindings.rbac.authorization.k8s.io here
			patch resourcequotas here
			create clusterrolebindings.rbac.authorization.k8s.io cluster
			create namespaces cluster
			patch namespaces cluster
			delete namespaces cluster
			get nodes cluster
			patch nodes cluster
			patch customresourcedefinitions.apiextensions.k8s.io cluster
			delete validatingadmissionpolicies.admissionregistration.k8s.io cluster
			delete validatingadmissionpolicybindings.admissionregistration.k8s.io cluster
			patch clusterroles.rbac.authorization.k8s.io cluster
			patch validatingadmissionpolicies.admissionregistration.k8s.io cluster`,
	}
	// allowed is what each is for: a test of refusals alone would pass for an account that may nothing at all.
	allowed = map[string]string{
		"controller": `
			get secrets here
			create secrets here
			list virtualmachines.kubevirt.io elsewhere
			delete persistentvolumeclaims here
			get virtualmachineimages.harvesterhci.io elsewhere
			get nodes cluster
			create tokenreviews.authentication.k8s.io cluster`,
		"plugin": `
			get nomadnodepools.nomad.harvesterhci.io here
			patch nomadnodepools.nomad.harvesterhci.io/scale here`,
		"viewer": `
			get nomadnodepools.nomad.harvesterhci.io here
			list nomadnodes.nomad.harvesterhci.io here`,
		"editor": `
			create nomadnodepools.nomad.harvesterhci.io here
			patch nomadnodes.nomad.harvesterhci.io here
			patch nomadnodepools.nomad.harvesterhci.io/scale here`,
	}
	// served are the versions of groups.
	served = map[string]string{
		"": "v1", "kubevirt.io": "v1", "cdi.kubevirt.io": "v1beta1", "nomad.harvesterhci.io": "v1alpha1",
		"harvesterhci.io": "v1beta1",
	}
	methods = map[string]string{
		"get": http.MethodGet, "list": http.MethodGet, "watch": http.MethodGet, "create": http.MethodPost,
		"update": http.MethodPut, "patch": http.MethodPatch, "delete": http.MethodDelete,
		"deletecollection": http.MethodDelete,
	}
)

const elsewhere = "default"

// leastRefused is how many verbs are tried of each account.
const leastRefused = 30

// What each account of the product, and people with Kubernetes' own roles, may not do is tried by the account itself,
// as a dry run: the API server refuses it for want of a right, before anything else.
func TestVerbsThatNobodyMay(t *testing.T) {
	t.Parallel()
	accounts := map[string]*rest.RESTClient{
		"controller": rawAs(t, fixtures.ProductNamespace, testenv.ControllerServiceAccount),
		"plugin":     rawAs(t, fixtures.ProductNamespace, testenv.AutoscalerServiceAccount),
		"viewer":     rawAs(t, fixtures.Namespace, withRole(t, "view")),
		"editor":     rawAs(t, fixtures.Namespace, withRole(t, "edit")),
	}
	for name, account := range accounts {
		t.Run(name, func(t *testing.T) {
			for line := range strings.Lines(strings.TrimSpace(allowed[name])) { // roles are in force a moment later
				asks(t, "", func() error {
					if err := try(t, account, line); lacksRight(err) {
						return err
					}
					return nil
				})
			}
			n := 0
			for line := range strings.Lines(strings.TrimSpace(mayNot[name])) {
				n++
				if err := try(t, account, line); !lacksRight(err) {
					t.Errorf("%s: %s was not refused: %v", name, strings.TrimSpace(line), err)
				}
			}
			if n < leastRefused {
				t.Errorf("only %d verbs were tried", n)
			}
		})
	}
}

// try makes the request of a line.
func try(t *testing.T, as *rest.RESTClient, line string) error {
	t.Helper()
	words := strings.Fields(line)
	verb, where := words[0], words[2]
	kind, sub, _ := strings.Cut(words[1], "/")
	of := schema.ParseGroupResource(kind)
	version := served[of.Group]
	if version == "" {
		version = "v1"
	}
	path := []string{"/apis", of.Group, version}
	if of.Group == "" {
		path = []string{"/api", version}
	}
	switch where {
	case "here":
		path = append(path, "namespaces", fixtures.Namespace)
	case "elsewhere":
		path = append(path, "namespaces", elsewhere)
	}
	path = append(path, of.Resource)
	named := verb != "list" && verb != "watch" && verb != "deletecollection" && (verb != "create" || sub != "")
	if named {
		path = append(path, "some")
	}
	if sub != "" {
		path = append(path, sub)
	}
	request := as.Verb(methods[verb]).AbsPath(path...).Timeout(20 * time.Second)
	switch verb {
	case "watch":
		request = request.Param("watch", "true").Param("timeoutSeconds", "1")
	case "get", "list":
	case "patch":
		request = request.SetHeader("Content-Type", "application/merge-patch+json").Body([]byte(`{}`)).
			Param("dryRun", metav1.DryRunAll)
	default:
		request = request.SetHeader("Content-Type", "application/json").Body([]byte(`{}`)).
			Param("dryRun", metav1.DryRunAll)
	}
	return request.Do(t.Context()).Error()
}

// lacksRight is true of a refusal of RBAC's. Admission refuses likewise, and for other reasons.
func lacksRight(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ")
}

// rawAs is a client for requests of any kind, with a token of an account.
func rawAs(t *testing.T, namespace, account string) *rest.RESTClient {
	t.Helper()
	config, err := w.Kube.RESTConfigFor(t.Context(), namespace, account)
	if err != nil {
		t.Fatal(err)
	}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// withRole makes an account with one of Kubernetes' own roles in the namespace of the pools.
func withRole(t *testing.T, role string) (account string) {
	t.Helper()
	in := metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: "has-role-" + role}
	createObject(t, &corev1.ServiceAccount{ObjectMeta: in})
	createObject(t, &rbacv1.RoleBinding{ObjectMeta: in,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: in.Namespace, Name: in.Name}}})
	return in.Name
}
