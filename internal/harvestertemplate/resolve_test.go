package harvestertemplate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate/harvestertemplatetest"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
)

func TestResolveTakesWhatTheTemplateLeavesOut(t *testing.T) {
	got := harvestertemplatetest.Resolved(t,
		v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplate, Name: "default/build"}},
		harvestertemplatetest.Version(t))
	overlaid := harvestertemplatetest.Object(t, string(got.VirtualMachine.Raw))
	got.VirtualMachine = nil
	want := &v1alpha1.NodeTemplate{
		From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: "default/build-1"},
		CPU:  4, Memory: resource.MustParse("4Gi"), OS: "debian", Description: "The build machine",
		Disks: []v1alpha1.Disk{
			{Name: "disk-0", Size: resource.MustParse("40Gi"), Image: blueprinttest.Image},
			{Name: "disk-1", Size: resource.MustParse("100Gi"), StorageClassName: "harvester-longhorn"},
		},
		Networks: []v1alpha1.Network{{Name: blueprinttest.Network}, {Name: "nomad-clients/storage"}},
		SSHKeys:  []string{blueprinttest.KeyPair},
		Labels: map[string]string{"team": "data",
			"harvesterhci.io/maintain-mode-strategy": "Shutdown", "tag.harvesterhci.io/cost": "ci"},
		Annotations: map[string]string{"note": "kept", "harvesterhci.io/reservedMemory": "256Mi"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	wantOverlay := harvestertemplatetest.Object(t, `
template:
  metadata: {labels: {zone: a}}
  spec:
    affinity: {}
    evictionStrategy: LiveMigrate
    terminationGracePeriodSeconds: 30
    domain:
      machine: {type: q35}
      cpu: {model: host-passthrough}
      firmware: {bootloader: {efi: {secureBoot: true}}}
      features: {acpi: {enabled: true}, smm: {enabled: true}}
      devices:
        tpm: {}
        inputs: [{name: tablet, type: tablet, bus: usb}]
        interfaces: [{name: nic-0, model: e1000}]
        disks: [{name: disk-1, disk: {bus: scsi}, cache: none}]
`)
	if diff := cmp.Diff(wantOverlay, overlaid); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheTemplateSetsWins(t *testing.T) {
	tmpl := v1alpha1.NodeTemplate{
		CPU: 16, Memory: resource.MustParse("64Gi"), OS: "ubuntu", Description: "Mine",
		Disks:       []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: blueprinttest.Image}},
		Networks:    []v1alpha1.Network{{Name: blueprinttest.Network}},
		SSHKeys:     []string{"default/mine"},
		Labels:      map[string]string{"team": "mine"},
		Annotations: map[string]string{"note": "mine", "more": "x"},
		VirtualMachine: blueprinttest.Overlay(`{"template":{"spec":{"terminationGracePeriodSeconds":7,"affinity":null,
			"domain":{"devices":{"tpm":null,"inputs":[{"name":"keyboard","type":"keyboard","bus":"usb"},{"name":"tablet","bus":"virtio"}]}}}}}`),
	}
	got := harvestertemplatetest.Resolved(t, tmpl, harvestertemplatetest.Version(t))
	want := tmpl.DeepCopy()
	want.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: "default/build-1"}
	want.Labels = map[string]string{"team": "mine",
		"harvesterhci.io/maintain-mode-strategy": "Shutdown", "tag.harvesterhci.io/cost": "ci"}
	want.Annotations["harvesterhci.io/reservedMemory"] = "256Mi"
	want.VirtualMachine = got.VirtualMachine
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	m := blueprinttest.Member()
	m.Template = *got
	f := harvestertemplatetest.Facts()
	f.KeyPairs["default/mine"] = blueprint.KeyPair{PublicKey: "ssh-ed25519 AAAAC3Nza mine"}
	vmi := rendertest.Member(t, m, f).VM.Spec.Template.Spec
	inputs := []kubevirtv1.Input{{Name: "tablet", Type: "tablet", Bus: "virtio"},
		{Name: "keyboard", Type: "keyboard", Bus: "usb"}}
	if *vmi.TerminationGracePeriodSeconds != 7 || vmi.Affinity != nil || vmi.Domain.Devices.TPM != nil ||
		!slices.Equal(vmi.Domain.Devices.Inputs, inputs) || len(vmi.Domain.Devices.Disks) != 2 || len(vmi.Networks) != 1 {
		t.Errorf("%+v", vmi)
	}
}

func TestResolveProblems(t *testing.T) {
	const devices = "spec.template.spec.domain.devices."
	claims := func(doc string) [2]string {
		return [2]string{"metadata.annotations", "{harvesterhci.io/volumeClaimTemplates: '" + doc + "'}"}
	}
	for name, tt := range map[string]struct {
		edits [][2]string
		// without is what a template can set to do without what is wrong.
		without func(*v1alpha1.NodeTemplate)
		want    string
	}{
		"no memory": {[][2]string{{"spec.template.spec.domain.resources", ""}},
			func(n *v1alpha1.NodeTemplate) { n.Memory = resource.MustParse("1Gi") },
			"it has no memory limit; set spec.template.memory"},
		"no cpu": {[][2]string{{"spec.template.spec.domain.cpu", ""},
			{"spec.template.spec.domain.resources.limits", "{memory: 4Gi}"}}, func(n *v1alpha1.NodeTemplate) { n.CPU = 1 },
			"it has 0 CPUs; set spec.template.cpu to a number from 1 to 256"},
		"no disk": {[][2]string{{"spec.template.spec.volumes", ""}}, withPoolDisk, "it has no disk"},
		"image not chosen": {[][2]string{claims(
			`[{"metadata":{"name":"old-disk-0-a","annotations":{"harvesterhci.io/imageId":""}},"spec":{"storageClassName":"x","resources":{"requests":{"storage":"1Gi"}}}},{"metadata":{"name":"old-disk-1-b"},"spec":{"storageClassName":"x","resources":{"requests":{"storage":"1Gi"}}}}]`)},
			withPoolDisk,
			`its first disk, "disk-0", has no image to boot from; choose one in a new version or set spec.template.disks`},
		"no class": {[][2]string{claims(
			`[{"metadata":{"name":"old-disk-0-a","annotations":{"harvesterhci.io/imageId":"a/b"}},"spec":{"resources":{"requests":{"storage":"1Gi"}}}},{"metadata":{"name":"old-disk-1-b"},"spec":{"resources":{"requests":{"storage":"1Gi"}}}}]`)},
			withPoolDisk, `its disk "disk-1" has neither an image nor a storage class`},
		"existing volume": {[][2]string{claims(`[]`)}, withPoolDisk,
			`its disk "disk-0" is an existing volume, which only one VM can have; use an image in a new version or set spec.template.disks`},
		"claims unreadable": {[][2]string{claims(`{`)}, withPoolDisk,
			"its annotation harvesterhci.io/volumeClaimTemplates: unexpected end of JSON input"},
		"cd-rom": {[][2]string{{devices + "disks", "[{name: disk-1, cdrom: {bus: sata}}]"}}, withPoolDisk,
			`its disk "disk-1" is a CD-ROM with a volume of its own`},
		"masquerade": {[][2]string{{"spec.template.spec.networks", "[{name: lan, pod: {}}]"}}, withPoolNetwork,
			`its network "lan" is not a VLAN network with an interface of type bridge`},
		"sriov": {[][2]string{{devices + "interfaces", "[{name: lan, sriov: {}}, {name: san, bridge: {}}]"}},
			withPoolNetwork, `its network "lan" is not a VLAN network`},
		"network by itself": {[][2]string{{devices + "interfaces", "[{name: san, bridge: {}}]"}}, withPoolNetwork,
			`its network "lan" has no interface`},
		"short network name": {[][2]string{{"spec.template.spec.networks", "[{name: lan, multus: {networkName: vlan}}]"}},
			withPoolNetwork, `its network "lan" names "vlan" without a namespace`},
		"no network": {[][2]string{{"spec.template.spec.networks", ""}}, withPoolNetwork,
			"it has no network; add one in a new version or set spec.template.networks"},
		"node selector": {[][2]string{{"spec.template.spec.nodeSelector", "{a: b}"}},
			func(n *v1alpha1.NodeTemplate) {
				n.VirtualMachine = blueprinttest.Overlay(`{"template":{"spec":{"nodeSelector":null}}}`)
			},
			"its VM: spec.vm.spec.template.spec.nodeSelector: can't be changed here: an upgrade of Harvester stops VMs with a nodeSelector"},
		"data volume templates": {[][2]string{{"spec.dataVolumeTemplates", "[{metadata: {name: x}, spec: {}}]"}}, nil,
			"its VM: spec.vm.spec.dataVolumeTemplates: can't be changed here"},
		"sysprep": {[][2]string{{"spec.template.spec.volumes", "[{name: s, sysprep: {secret: {name: x}}}]"}}, nil,
			"it has no disk"},
		"unknown field": {[][2]string{{"spec.template.spec.domain.turbo", "true"}}, nil,
			`its VM: spec.vm.spec: unknown field "template.spec.domain.turbo"`},
		"not a VM": {[][2]string{{"spec", "{template: {spec: {domain: 7}}}"}}, nil,
			"its spec.vm.spec is not a KubeVirt VirtualMachineSpec"},
	} {
		t.Run(name, func(t *testing.T) {
			v := harvestertemplatetest.Version(t, tt.edits...)
			_, problems := harvestertemplate.Resolve(&v1alpha1.NodeTemplate{}, v)
			found := slices.ContainsFunc(problems, func(p condition.Problem) bool {
				return p.Reason == v1alpha1.ReasonTemplateInvalid &&
					strings.HasPrefix(p.Message, `spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": `+tt.want)
			})
			if !found {
				t.Errorf("%q is not among %v", tt.want, problems)
			}
			if tt.without == nil {
				return
			}
			tmpl := v1alpha1.NodeTemplate{}
			tt.without(&tmpl)
			if _, problems := harvestertemplate.Resolve(&tmpl, v); len(problems) > 0 {
				t.Errorf("still %v", problems)
			}
		})
	}
}

func withPoolDisk(n *v1alpha1.NodeTemplate) {
	n.Disks = []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: blueprinttest.Image}}
}

func withPoolNetwork(n *v1alpha1.NodeTemplate) {
	n.Networks = []v1alpha1.Network{{Name: blueprinttest.Network}}
}

func TestResolveSizesWithHotplug(t *testing.T) {
	v := harvestertemplatetest.Version(
		t,
		[2]string{
			"metadata.annotations",
			`{harvesterhci.io/enableCPUAndMemoryHotplug: "true", harvesterhci.io/volumeClaimTemplates: "[]"}`,
		},
		[2]string{"spec.template.spec.domain.memory", "{guest: 2Gi, maxGuest: 16Gi}"},
	)
	got, _ := harvestertemplate.Resolve(&v1alpha1.NodeTemplate{}, v)
	if want := resource.MustParse("2Gi"); got.Memory.Cmp(want) != 0 {
		t.Errorf("memory %v", got.Memory.String())
	}
}

func TestResolveRenamesDisksWithLongNames(t *testing.T) {
	v := harvestertemplatetest.Version(
		t,
		[2]string{"spec.template.spec.domain.devices.disks",
			"[{name: the-disk-that-boots, disk: {bus: sata}}, {name: cd, cdrom: {bus: sata}}]"},
		[2]string{"spec.template.spec.volumes",
			"[{name: the-disk-that-boots, persistentVolumeClaim: {claimName: old-disk-0-a}}, {name: cd, containerDisk: {image: drivers}}]"},
	)
	got := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, v)
	m := blueprinttest.Member()
	m.Template = *got
	r := rendertest.Member(t, m, harvestertemplatetest.Facts())
	spec := r.VM.Spec.Template.Spec
	var names []string
	for i, d := range spec.Domain.Devices.Disks {
		names = append(names, d.Name)
		if spec.Volumes[i].Name != d.Name {
			t.Errorf("disk %d is %q, its volume %q", i, d.Name, spec.Volumes[i].Name)
		}
	}
	if !slices.Equal(names, []string{"disk-0", "cloudinitdisk", "cd"}) || spec.Domain.Devices.Disks[0].Disk.Bus != "sata" {
		t.Errorf("%+v", spec.Domain.Devices.Disks)
	}
}

func TestCloudInitOfTheVersionIsBelow(t *testing.T) {
	m := blueprinttest.Member()
	m.Template = *harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{CloudInit: v1alpha1.CloudInit{
		UserData: "#cloud-config\npackages: [git]\ntimezone: UTC\n",
	}}, harvestertemplatetest.Version(t))
	r := rendertest.Member(t, m, harvestertemplatetest.Facts())
	config := harvestertemplatetest.Object(t, string(r.Secret.Data["userdata"]))
	commands, _ := config["runcmd"].([]any)
	if !cmp.Equal(config["packages"], []any{"jq", "git"}) || config["timezone"] != "UTC" || len(commands) != 6 ||
		!cmp.Equal(commands[2], []any{"template"}) {
		t.Errorf("%v", config)
	}
	if got := string(r.Secret.Data["networkdata"]); got != "version: 2\n" {
		t.Errorf("networkdata %q", got)
	}
	m.Template.CloudInit.NetworkData = "version: 1\nconfig: []\n"
	if got := string(rendertest.Member(t, m, harvestertemplatetest.Facts()).Secret.Data["networkdata"]); got != "version: 1\nconfig: []\n" {
		t.Errorf("networkdata %q", got)
	}
}

// Another version is another revision, whatever is in it: its cloud-init isn't part of the copy.
func TestRevisionNamesTheVersion(t *testing.T) {
	c := blueprinttest.Client()
	a := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t))
	b := a.DeepCopy()
	b.From.Name = "default/build-2"
	if blueprint.Revision(a, &c, "") == blueprint.Revision(b, &c, "") {
		t.Error("two versions have the same revision")
	}
	again := harvestertemplatetest.Resolved(t,
		v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplate, Name: "default/build"}},
		harvestertemplatetest.Version(t))
	if blueprint.Revision(a, &c, "") != blueprint.Revision(again, &c, "") {
		t.Error("one version has two revisions")
	}
}

// A resolved template can be resolved again, and is then the same: nothing of it is lost or added twice.
func TestResolveIsStable(t *testing.T) {
	c := blueprinttest.Client()
	once := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t))
	if twice := harvestertemplatetest.Resolved(t, *once, harvestertemplatetest.Version(t)); blueprint.Revision(once, &c,
		"") != blueprint.Revision(
		twice,
		&c,
		"",
	) {
		t.Errorf("%s\n%s", once.VirtualMachine.Raw, twice.VirtualMachine.Raw)
	}
}

func TestRequestsOfTheVersionAreNotCopied(t *testing.T) {
	m := blueprinttest.Member()
	m.Template = *harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t))
	domain := rendertest.Member(t, m, harvestertemplatetest.Facts()).VM.Spec.Template.Spec.Domain
	if len(domain.Resources.Requests) > 0 || domain.Memory != nil || domain.CPU.MaxSockets != 0 ||
		domain.CPU.Sockets != 1 || domain.CPU.Model != "host-passthrough" ||
		domain.Firmware.UUID != "" || domain.Firmware.Serial != "" ||
		!*domain.Firmware.Bootloader.EFI.SecureBoot ||
		domain.Resources.Limits[corev1.ResourceMemory] != resource.MustParse("4Gi") {
		t.Errorf("%+v", domain)
	}
}

// The management network of a template's own takes the place of a version's networks.
func TestResolveWithTheManagementNetwork(t *testing.T) {
	tmpl := v1alpha1.NodeTemplate{
		Networks: []v1alpha1.Network{{Type: v1alpha1.NetworkManagement}, {Name: blueprinttest.Network}}}
	if out := harvestertemplatetest.Resolved(t, tmpl, harvestertemplatetest.Version(t)); len(out.Networks) != 2 ||
		out.Networks[0].Type != v1alpha1.NetworkManagement {
		t.Errorf("%+v", out.Networks)
	}
}
