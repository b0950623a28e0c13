package harvestertemplate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate/harvestertemplatetest"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
)

// What a NomadNode can't hold is reported as a problem of the version, and not by the API server when the NomadNode is
// made.
func TestResolveKeepsToTheAPI(t *testing.T) {
	many := func(n int, format string) string {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(format, i))
		}
		return strings.Join(items, ", ")
	}
	disks := func(n int, image, size string) [][2]string {
		claim := `{"metadata":{"name":"c%d","annotations":{"harvesterhci.io/imageId":"` + image +
			`"}},"spec":{"resources":{"requests":{"storage":"` + size + `"}}}}`
		return [][2]string{
			{"metadata.annotations",
				"{harvesterhci.io/volumeClaimTemplates: '[" + many(n, strings.Replace(claim, "%d", "%[1]d", 1)) + "]'}"},
			{"spec.template.spec.domain.devices.disks", "[" + many(n, "{name: d%d, disk: {bus: virtio}}") + "]"},
			{"spec.template.spec.volumes", "[" + many(n, "{name: d%[1]d, persistentVolumeClaim: {claimName: c%[1]d}}") + "]"},
		}
	}
	for name, tt := range map[string]struct {
		edits   [][2]string
		without func(*v1alpha1.NodeTemplate)
		want    string
	}{
		"description": {[][2]string{{"metadata.annotations.field~cattle~io/description", strings.Repeat("ä", 1025)}},
			func(n *v1alpha1.NodeTemplate) { n.Description = "mine" },
			"it has 1025 characters in its description, and 1024 are the most; have fewer in a new version or set spec.template.description"},
		"labels": {[][2]string{{"metadata.labels", "{" + many(33, "l%d: x") + "}"}}, nil,
			"it has 33 labels, with the pool's own, and 32 are the most; have fewer in a new version"},
		"annotations": {[][2]string{{"metadata.annotations", "{" + many(33, "l%d: x") + "}"}}, nil,
			"it has 33 annotations, with the pool's own, and 32 are the most"},
		"disks": {disks(13, "default/i", "1Gi"), withPoolDisk,
			"it has 13 disks, and 12 are the most; have fewer in a new version or set spec.template.disks"},
		"image": {disks(1, "image-x2k7p", "1Gi"), withPoolDisk,
			`the image "image-x2k7p" of its disk "d0" is not namespace/name; correct it in a new version or set spec.template.disks`},
		"size": {disks(1, "default/i", "0"), withPoolDisk,
			`its disk "d0" has no size; set one in a new version or set spec.template.disks`},
		"memory": {[][2]string{{"spec.template.spec.domain.resources.limits.memory", "64Mi"}},
			func(n *v1alpha1.NodeTemplate) { n.Memory = resource.MustParse("1Gi") },
			"it has 64Mi of memory, with which no guest boots; set spec.template.memory"},
		"networks": {[][2]string{
			{"spec.template.spec.networks", "[" + many(9, "{name: n%d, multus: {networkName: a/b}}") + "]"},
			{"spec.template.spec.domain.devices.interfaces", "[" + many(9, "{name: n%d, bridge: {}}") + "]"},
		}, withPoolNetwork,
			"it has 9 networks, and 8 are the most; have fewer in a new version or set spec.template.networks"},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range tt.edits {
				tt.edits[i][0] = strings.ReplaceAll(tt.edits[i][0], "~", "\x00")
			}
			v := harvestertemplatetest.Version(t, tt.edits...)
			found := func(tmpl v1alpha1.NodeTemplate) []condition.Problem {
				_, problems := harvestertemplate.Resolve(&tmpl, v)
				return problems
			}
			if problems := found(v1alpha1.NodeTemplate{}); !slices.ContainsFunc(problems, func(p condition.Problem) bool {
				return p.Reason == v1alpha1.ReasonTemplateInvalid &&
					strings.HasPrefix(p.Message, `spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": `+tt.want)
			}) {
				t.Errorf("%q is not among %v", tt.want, problems)
			}
			if tt.without == nil {
				return
			}
			tmpl := v1alpha1.NodeTemplate{}
			tt.without(&tmpl)
			if problems := found(tmpl); len(problems) > 0 {
				t.Errorf("still %v", problems)
			}
		})
	}
	v := harvestertemplatetest.Version(t)
	v.KeyPairs = []string{"ops"}
	if _, problems := harvestertemplate.Resolve(&v1alpha1.NodeTemplate{}, v); len(problems) != 1 ||
		!strings.Contains(problems[0].Message, `its key pair "ops" is not namespace/name`) {
		t.Errorf("%v", problems)
	}
}

// Keys that the API refuses of a pool aren't taken from a version: each kind of key has its own exceptions.
func TestChosenKeysAreThoseOfTheAPI(t *testing.T) {
	v := harvestertemplatetest.Version(t,
		[2]string{"metadata.labels", "{harvesterhci.io/reservedMemory: 1Gi, tag.harvesterhci.io/a: b}"},
		[2]string{"metadata.annotations.harvesterhci\x00io/maintain-mode-strategy", "Shutdown"},
		[2]string{"metadata.annotations.tag\x00harvesterhci\x00io/a", "b"})
	got := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, v)
	if len(got.Labels) != 1 || got.Labels["tag.harvesterhci.io/a"] != "b" {
		t.Errorf("labels %v", got.Labels)
	}
	if len(got.Annotations) != 2 || got.Annotations["harvesterhci.io/reservedMemory"] == "" ||
		got.Annotations["note"] == "" {
		t.Errorf("annotations %v", got.Annotations)
	}
}

// KubeVirt's annotations of an instance are wishes; what Harvester writes there is about one VM.
func TestHooksOfTheVersionAreKept(t *testing.T) {
	got := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t, [2]string{
		"spec.template.metadata.annotations",
		`{hooks.kubevirt.io/hookSidecars: '[]', harvesterhci.io/sshNames: '[]'}`,
	}))
	m := blueprinttest.Member()
	m.Template = *got
	annotations := rendertest.Member(t, m, harvestertemplatetest.Facts()).VM.Spec.Template.ObjectMeta.Annotations
	if annotations["hooks.kubevirt.io/hookSidecars"] != "[]" ||
		annotations["harvesterhci.io/sshNames"] != `["default/ops-key"]` {
		t.Errorf("%v", annotations)
	}
}

// What Harvester asks of the host of the VM that the template was made of isn't asked for members; what people ask is.
func TestHostsThatHarvesterAsksForAreLeftOut(t *testing.T) {
	const affinity = "{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: %s}}}"
	for name, tt := range map[string]struct{ terms, want string }{
		"Harvester's alone": {
			"[{matchExpressions: [{key: cpumanager, operator: In, values: ['true']}, {key: network.harvesterhci.io/mgmt, operator: In, values: ['true']}]}]",
			"",
		},
		"people's beside it": {
			"[{matchExpressions: [{key: cpumanager, operator: In, values: ['true']}, {key: zone, operator: In, values: [a]}]}]",
			`[{"matchExpressions":[{"key":"zone","operator":"In","values":["a"]}]}]`,
		},
		"one term is as good as all": {
			"[{matchExpressions: [{key: cpumanager, operator: In, values: ['true']}]}, {matchExpressions: [{key: zone, operator: In, values: [a]}]}]",
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{},
				harvestertemplatetest.Version(t,
					[2]string{"spec.template.spec.affinity", fmt.Sprintf(affinity, tt.terms)}))
			overlay := string(got.VirtualMachine.Raw)
			if has := strings.Contains(overlay, "nodeAffinity"); has != (tt.want != "") ||
				!strings.Contains(overlay, tt.want) {
				t.Errorf("%s", overlay)
			}
		})
	}
}

// Kube-OVN's wishes and Kubernetes' labels are kept, as people wrote them; the address of one VM isn't.
func TestKeysOfKubernetesAreKept(t *testing.T) {
	got := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t,
		[2]string{"spec.template.metadata.annotations", `{subnet.ns.ovn.kubernetes.io/default_route: "true", ` +
			`kubernetes.io/egress-bandwidth: 10M, ovn.kubernetes.io/ip_address: 10.0.0.5, kubectl.kubernetes.io/x: z}`},
		[2]string{"metadata.labels", "{app.kubernetes.io/part-of: ci, kubevirt.io/x: z}"}))
	m := blueprinttest.Member()
	m.Template = *got
	annotations := rendertest.Member(t, m, harvestertemplatetest.Facts()).VM.Spec.Template.ObjectMeta.Annotations
	if annotations["subnet.ns.ovn.kubernetes.io/default_route"] != "true" ||
		annotations["kubernetes.io/egress-bandwidth"] != "10M" ||
		annotations["ovn.kubernetes.io/ip_address"] != "" || annotations["kubectl.kubernetes.io/x"] != "" {
		t.Errorf("annotations %v", annotations)
	}
	if got.Labels["app.kubernetes.io/part-of"] != "ci" || got.Labels["kubevirt.io/x"] != "" {
		t.Errorf("labels %v", got.Labels)
	}
}

// After a migration to another storage class Harvester names the disk as a DataVolume; its claim's template is there.
func TestDisksAfterAStorageMigrationAreTaken(t *testing.T) {
	plain := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t))
	got := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t,
		[2]string{"spec.template.spec.volumes", `
      - {name: disk-1, persistentVolumeClaim: {claimName: old-disk-1-b}}
      - {name: disk-0, dataVolume: {name: old-disk-0-a}}
      - {name: cloudinitdisk, cloudInitNoCloud: {secretRef: {name: tv}, networkDataSecretRef: {name: tv}}}`}))
	if diff := cmp.Diff(plain.Disks, got.Disks); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(string(plain.VirtualMachine.Raw), string(got.VirtualMachine.Raw)); diff != "" {
		t.Error(diff)
	}
}

// A number that the new name of a disk would have may be another volume's name already.
func TestRenamedDisksLeaveOthersTheirNames(t *testing.T) {
	got := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(
		t,
		[2]string{"spec.template.spec.domain.devices.disks",
			"[{name: the-disk-that-boots, disk: {bus: sata}}, {name: disk-0, cdrom: {bus: sata}}]"},
		[2]string{"spec.template.spec.volumes",
			"[{name: the-disk-that-boots, persistentVolumeClaim: {claimName: old-disk-0-a}}, {name: disk-0, containerDisk: {image: drivers}}]"},
	))
	if len(got.Disks) != 1 || got.Disks[0].Name != "disk-1" {
		t.Errorf("%+v", got.Disks)
	}
	m := blueprinttest.Member()
	m.Template = *got
	spec := rendertest.Member(t, m, harvestertemplatetest.Facts()).VM.Spec.Template.Spec
	if d := spec.Domain.Devices.Disks; len(d) != 3 || d[0].Name != "disk-1" || d[0].Disk.Bus != "sata" ||
		d[2].Name != "disk-0" ||
		d[2].CDRom == nil {
		t.Errorf("%+v", d)
	}
}
