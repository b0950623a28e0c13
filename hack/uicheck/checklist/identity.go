package checklist

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition/conditiontest"
)

// The namespaces whose VMs the UI doesn't show (Harvester UI: models/harvester/namespace.js, isSystem; Rancher shell:
// config/system-namespaces.js; Rancher: the setting system-namespaces).
var (
	hiddenName = regexp.MustCompile(`-system$|^(c-|p-|user-|local)`)
	hiddenList = []string{
		"calico-apiserver", "cattle-alerting", "cattle-dashboards", "cattle-global-data", "cattle-global-nt",
		"cattle-istio", "cattle-logging", "cattle-pipeline",
		"cattle-prometheus", "cert-manager", "fleet-default", "fleet-local", "ingress-nginx", "kube-node-lease",
		"kube-public", "linkerd", "security-scan",
		"tekton-pipelines", "tigera-operator",
	}
)

// hidden says why the UI doesn't show the VMs of the subject's namespace; empty: it does.
func hidden(s Subject) string {
	name := s.VM.Namespace
	if name == "" || hiddenName.MatchString(name) || slices.Contains(hiddenList, name) {
		return fmt.Sprintf("%q", name)
	}
	if n := s.Namespace; n != nil && n.Annotations["management.cattle.io/system-namespace"] == "true" {
		return fmt.Sprintf("%q is annotated as the system's", name)
	}
	if n := s.Namespace; n != nil && n.Labels["fleet.cattle.io/managed"] == "true" {
		return fmt.Sprintf("%q is labelled as Fleet's", name)
	}
	return ""
}

// identity is what a VM is called, and whose it is.
var identity = []demand{
	// Harvester UI: components/VMConsoleBar.vue looks for the instance by the first owner's UID.
	{"metadata.ownerReferences: none, or both consoles break", func(s Subject) string {
		return unless(len(s.VM.OwnerReferences) == 0, "owned by %v", s.VM.OwnerReferences)
	}},
	// Harvester UI: models/kubevirt.io.virtualmachine.js reads them without looking whether there are any.
	{"metadata.annotations: some, or the list of VMs breaks", func(s Subject) string {
		return unless(len(s.VM.Annotations) > 0, "none")
	}},
	{"metadata.name: a hostname", func(s Subject) string {
		return unless(len(validation.IsDNS1123Label(s.VM.Name)) == 0, "%q", s.VM.Name)
	}},
	{"metadata.namespace: one that the UI shows", hidden},
	// Harvester: pkg/controller/master/virtualmachine/vmi_controller.go treats the node driver's VMs in another way.
	{"label harvesterhci.io/creator: set, and not the Rancher node driver", func(s Subject) string {
		creator := s.VM.Labels["harvesterhci.io/creator"]
		return unless(creator != "" && creator != "docker-machine-driver-harvester", "%q", creator)
	}},
	{"label harvesterhci.io/os: in Harvester's spelling", func(s Subject) string {
		os := s.VM.Labels["harvesterhci.io/os"]
		return unless(slices.Contains(v1alpha1.OperatingSystems, os), "%q", os)
	}},
	// Harvester: virtualmachine/mutator.go starts a stopped VM with it.
	{"annotation harvesterhci.io/vmRunStrategy: as spec.runStrategy", func(s Subject) string {
		kept := s.VM.Annotations["harvesterhci.io/vmRunStrategy"]
		return unless(s.VM.Spec.RunStrategy != nil && kept == string(*s.VM.Spec.RunStrategy), "%q", kept)
	}},
	// Harvester: pkg/util/drainhelper/helper.go and pkg/util/indexeres/pod.go find the VM of a pod by it.
	{"label harvesterhci.io/vmName of the template: the VM's name", func(s Subject) string {
		name := s.VM.Spec.Template.ObjectMeta.Labels["harvesterhci.io/vmName"]
		return unless(name == s.VM.Name, "%q", name)
	}},
	// Harvester: vm_controller.go, SyncLabelsToVmi removes all others from instances.
	{"our labels are on the template as well", func(s Subject) string {
		for key, value := range s.VM.Labels {
			if strings.HasPrefix(key, "nomad.harvesterhci.io/") && s.VM.Spec.Template.ObjectMeta.Labels[key] != value {
				return key + " is not on the template"
			}
		}
		return unless(s.VM.Labels[v1alpha1.PoolLabel] != "", "no label %s", v1alpha1.PoolLabel)
	}},
	// Harvester UI: config/labels-annotations.js, SSH_NAMES.
	{"annotation harvesterhci.io/sshNames of the template: a JSON list", func(s Subject) string {
		doc := s.VM.Spec.Template.ObjectMeta.Annotations["harvesterhci.io/sshNames"]
		var names []string
		return unless(json.Unmarshal([]byte(doc), &names) == nil && names != nil, "%q", doc)
	}},
	// Harvester: pkg/api/vm/handler.go, getClonedVMYamlFromSourceVM copies labels, createTemplate annotations as well.
	{"annotations member and pool-uid: this VM's name and its pool's UID", func(s Subject) string {
		member, uid := s.VM.Annotations[v1alpha1.MemberAnnotation], s.VM.Annotations[v1alpha1.PoolUIDAnnotation]
		return unless(member == s.VM.Name && uid != "" && uid == s.PoolUID, "%q of the pool with UID %q; the pool's is %q",
			member, uid, s.PoolUID)
	}},
	{"metadata.finalizers: none of ours, or VMs outlive an uninstallation", func(s Subject) string {
		kept := slices.ContainsFunc(s.VM.Finalizers,
			func(f string) bool { return strings.HasPrefix(f, "nomad.harvesterhci.io/") })
		return unless(!kept, "%v", s.VM.Finalizers)
	}},
	// A template that is generated from the VM would carry it on, and with it delete our claims.
	{"annotation harvesterhci.io/removedPersistentVolumeClaims: only when it is being deleted", func(s Subject) string {
		removed, set := s.VM.Annotations["harvesterhci.io/removedPersistentVolumeClaims"]
		return unless(!set || s.VM.DeletionTimestamp != nil, "%q", removed)
	}},
	// Harvester UI: Generate Template copies it, and a VM made from that must not tell people to remove the member.
	{"annotation field.cattle.io/description: doesn't name the VM, for copies have it too", func(s Subject) string {
		description := s.VM.Annotations["field.cattle.io/description"]
		return unless(s.VM.Name == "" || !strings.Contains(description, s.VM.Name), "%q", description)
	}},
	// Rancher: wrangler, pkg/summary/summarizers.go, goes by the types of conditions.
	{"its NomadNode's conditions: shown as an error only if somebody has to act", shownAsError},
}

// shownAsError says what Rancher shows as an error of the subject's NomadNode although nobody has to act; empty:
// nothing.
func shownAsError(s Subject) string {
	all, types := map[string]metav1.Condition{}, []string{}
	for _, c := range s.Conditions {
		all[c.Type], types = c, append(types, c.Type+"="+string(c.Status))
	}
	acts := all[v1alpha1.NodeStalled].Status == metav1.ConditionTrue ||
		all[v1alpha1.NodeReady].Status == metav1.ConditionUnknown
	return unless(acts || conditiontest.Rancher(all) != conditiontest.Wrong, "%s", strings.Join(types, ", "))
}
