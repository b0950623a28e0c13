package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// fromHarvester is a pool whose VMs are a Harvester template's alone.
func fromHarvester(kind, name string) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) {
		p.Spec.Template = v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: kind, Name: name}}
	}
}

// A pool follows the default version of a Harvester template: choosing another one in the UI rolls it. One that names a
// version stays with it.
func TestPoolFollowsAHarvesterTemplate(t *testing.T) {
	t.Parallel()
	create(t, newPool("fixed", 1, fromHarvester(v1alpha1.KindTemplateVersion, fixtures.TemplateVersion)))
	create(t, newPool("follows", 1, fromHarvester(v1alpha1.KindTemplate, fixtures.Template)))
	for _, pool := range []string{"fixed", "follows"} {
		eventually(t, pool, "the pool to settle", time.Minute, both(allReady(1), from(fixtures.TemplateVersion, 2)))
	}
	resemblesTheTemplate(t, members(t, "fixed")[0])

	chooseDefault(t, fixtures.OtherTemplateVersion)
	t.Cleanup(func() { chooseDefault(t, fixtures.TemplateVersion) })
	// It looks once a minute.
	eventually(t, "follows", "the pool to roll", 3*time.Minute, both(allReady(1), from(fixtures.OtherTemplateVersion, 3)))
	eventually(t, "fixed", "the other pool to stay", 15*time.Second, both(allReady(1), from(fixtures.TemplateVersion, 2)))
}

// from is satisfied when all members were made from a version and have as many CPUs.
func from(version string, cpus int32) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		for _, n := range nodes {
			if f := n.Spec.Template.From; f == nil || f.Name != version || n.Spec.Template.CPU != cpus {
				return fmt.Errorf("%s is from %+v with %d CPUs", n.Name, f, n.Spec.Template.CPU)
			}
		}
		return nil
	}
}

// looksLikeTheTemplate checks that a member has what the version says, and nothing of the VM that it was made of.
func resemblesTheTemplate(t *testing.T, n v1alpha1.NomadNode) {
	t.Helper()
	vm, secret := &kubevirtv1.VirtualMachine{}, &corev1.Secret{}
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(&n), vm); err != nil {
		t.Fatal(err)
	}
	if vm.Labels["harvesterhci.io/os"] != "debian" || vm.Labels["tag.harvesterhci.io/team"] != "ci" ||
		vm.Annotations["field.cattle.io/description"] != "A worker" {
		t.Errorf("labels %v, annotations %v", vm.Labels, vm.Annotations)
	}
	domain := vm.Spec.Template.Spec.Domain
	if domain.Firmware != nil && domain.Firmware.Serial == "5d307ca9" ||
		domain.Devices.Interfaces[0].MacAddress == "02:00:00:00:00:01" {
		t.Errorf("it has what is another VM's: %+v", domain)
	}
	key := client.ObjectKey{Namespace: n.Namespace, Name: blueprint.SecretName(blueprint.MemberOf(&n))}
	if err := w.Client.Get(t.Context(), key, secret); err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(secret.Data["userdata"], &config); err != nil {
		t.Fatal(err)
	}
	// Its one command, in a shell of its own, and the controller's one before it and two after it.
	if commands, _ := config["runcmd"].([]any); config["timezone"] != "Europe/Berlin" || len(commands) != 6 ||
		config["ssh_authorized_keys"] == nil {
		t.Errorf("user data %s", secret.Data["userdata"])
	}
}

// chooseDefault is what "Set default version" does in Harvester's UI.
func chooseDefault(t *testing.T, version string) {
	t.Helper()
	template := &unstructured.Unstructured{}
	template.SetGroupVersionKind(preflight.TemplateKind)
	template.SetNamespace("default")
	template.SetName("worker")
	patch := fmt.Appendf(nil, `{"spec":{"defaultVersionId":%q}}`, version)
	if err := w.Client.Patch(context.Background(), template, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Error(err)
	}
}

// Without a Harvester template everything that a VM needs must be set.
func TestWhatIsMissingWithoutATemplateIsSaid(t *testing.T) {
	t.Parallel()
	p := newPool("incomplete", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.Template = v1alpha1.NodeTemplate{} })
	refused(t, w.Client.Create(t.Context(), p, client.DryRunAll),
		"spec.template.cpu: Required value: cpu is missing: set it, or take it from a Harvester template with spec.template.from",
		"spec.template.memory: Required value: memory is missing: set it, or take it from a Harvester template with spec.template.from",
		"spec.template.disks: Required value: disks is missing: name at least the root disk, or take the disks from a Harvester template with spec.template.from",
		"spec.template.networks: Required value: networks is missing: name at least one, or take the networks from a Harvester template with spec.template.from")
	p.Spec.Template.From = &v1alpha1.TemplateSource{Kind: "VirtualMachine", Name: "vm"}
	refused(t, w.Client.Create(t.Context(), p, client.DryRunAll),
		`spec.template.from.kind: Unsupported value: "VirtualMachine"`)
	p.Spec.Template.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplate, Name: "vm"}
	refused(t, w.Client.Create(t.Context(), p, client.DryRunAll),
		`name: "vm" is not namespace/name of a VirtualMachineTemplate or VirtualMachineTemplateVersion`)
}
