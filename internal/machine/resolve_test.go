package machine

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// testVersion is what "Generate template" makes of a VM that has run: with all that belongs to that VM alone.
const testVersion = `
metadata:
  creationTimestamp: null
  labels:
    harvesterhci.io/creator: harvester
    harvesterhci.io/os: debian
    harvesterhci.io/maintain-mode-strategy: Shutdown
    tag.harvesterhci.io/cost: ci
    nomad.harvesterhci.io/pool: other
    team: data
  annotations:
    harvesterhci.io/mac-address: '{"lan":"02:00:00:00:00:01"}'
    harvesterhci.io/removedPersistentVolumeClaims: old-disk-0
    harvesterhci.io/reservedMemory: 256Mi
    nomad.harvesterhci.io/member: other-1
    kubectl.kubernetes.io/last-applied-configuration: '{}'
    field.cattle.io/description: The build machine
    note: kept
    harvesterhci.io/volumeClaimTemplates: >-
      [{"metadata":{"name":"old-disk-1-b"},"spec":{"storageClassName":"harvester-longhorn","resources":{"requests":{"storage":"100Gi"}},"dataSource":{"kind":"VolumeSnapshot","name":"s"}}},
       {"metadata":{"name":"old-disk-0-a","annotations":{"harvesterhci.io/imageId":"default/image-x2k7p"}},"spec":{"storageClassName":"wrong","resources":{"requests":{"storage":"40Gi"}}},"targetVolume":"x"}]
spec:
  runStrategy: RerunOnFailure
  template:
    metadata:
      creationTimestamp: null
      labels: {harvesterhci.io/vmName: old, zone: a}
      annotations: {harvesterhci.io/sshNames: '[]'}
    spec:
      hostname: old
      affinity: {}
      accessCredentials: [{sshPublicKey: {source: {secret: {secretName: x}}, propagationMethod: {qemuGuestAgent: {users: [a]}}}}]
      evictionStrategy: LiveMigrate
      terminationGracePeriodSeconds: 30
      domain:
        machine: {type: q35}
        cpu: {cores: 2, sockets: 2, threads: 1, maxSockets: 1, model: host-passthrough}
        memory: {guest: 3996Mi}
        resources:
          limits: {cpu: "4", memory: 4Gi}
          requests: {cpu: 250m, memory: 2Gi}
        firmware:
          uuid: 5d307ca9-b3ef-428c-8861-06e72d69f223
          serial: abc
          bootloader: {efi: {secureBoot: true}}
        features: {acpi: {enabled: true}, smm: {enabled: true}}
        devices:
          tpm: {}
          inputs: [{name: tablet, type: tablet, bus: usb}]
          interfaces: [{name: lan, model: e1000, macAddress: "02:00:00:00:00:01", bridge: {}}, {name: san, model: virtio, binding: {name: managedtap}}]
          disks:
          - {name: disk-1, bootOrder: 2, disk: {bus: scsi}, cache: none}
          - {name: disk-0, bootOrder: 1, disk: {bus: virtio}}
          - {name: cloudinitdisk, disk: {bus: virtio}}
      networks:
      - {name: lan, multus: {networkName: default/vlan-120}}
      - {name: san, multus: {networkName: nomad-clients/storage}}
      volumes:
      - {name: disk-1, persistentVolumeClaim: {claimName: old-disk-1-b}}
      - {name: disk-0, persistentVolumeClaim: {claimName: old-disk-0-a}}
      - {name: cloudinitdisk, cloudInitNoCloud: {secretRef: {name: tv}, networkDataSecretRef: {name: tv}}}
`

// version reads spec.vm of a version, changed by the edits: a path of dots, in which a zero byte stands for a dot in a key, and
// the YAML of the value, or none to delete it.
func version(t *testing.T, edits ...[2]string) *TemplateVersion {
	t.Helper()
	vm := yamlObject(t, testVersion)
	for _, e := range edits {
		path := strings.Split(e[0], ".")
		for i := range path {
			path[i] = strings.ReplaceAll(path[i], "\x00", ".")
		}
		at := vm
		for _, key := range path[:len(path)-1] {
			at = at[key].(map[string]any)
		}
		if e[1] == "" {
			delete(at, path[len(path)-1])
			continue
		}
		var value any
		if err := yaml.Unmarshal([]byte(e[1]), &value); err != nil {
			t.Fatal(err)
		}
		at[path[len(path)-1]] = value
	}
	obj := foreign(TemplateVersionKind, "default/build-1", map[string]any{"spec": map[string]any{
		"vm": vm, "keyPairIds": []any{testKeyPair},
	}})
	v, err := versionOf(obj, "default/build-1")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func yamlObject(t *testing.T, doc string) map[string]any {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(j, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func resolved(t *testing.T, own v1alpha1.NodeTemplate, v *TemplateVersion) *v1alpha1.NodeTemplate {
	t.Helper()
	out, problems := Resolve(&own, v)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return out
}

func TestResolveTakesWhatTheTemplateLeavesOut(t *testing.T) {
	got := resolved(t, v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplate, Name: "default/build"}}, version(t))
	overlaid := yamlObject(t, string(got.VirtualMachine.Raw))
	got.VirtualMachine = nil
	want := &v1alpha1.NodeTemplate{
		From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: "default/build-1"},
		CPU:  4, Memory: resource.MustParse("4Gi"), OS: "debian", Description: "The build machine",
		Disks: []v1alpha1.Disk{
			{Name: "disk-0", Size: resource.MustParse("40Gi"), Image: testImage},
			{Name: "disk-1", Size: resource.MustParse("100Gi"), StorageClassName: "harvester-longhorn"},
		},
		Networks:    []v1alpha1.Network{{Name: testNetwork}, {Name: "nomad-clients/storage"}},
		SSHKeys:     []string{testKeyPair},
		Labels:      map[string]string{"team": "data", "harvesterhci.io/maintain-mode-strategy": "Shutdown", "tag.harvesterhci.io/cost": "ci"},
		Annotations: map[string]string{"note": "kept", "harvesterhci.io/reservedMemory": "256Mi"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	wantOverlay := yamlObject(t, `
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
	own := v1alpha1.NodeTemplate{
		CPU: 16, Memory: resource.MustParse("64Gi"), OS: "ubuntu", Description: "Mine",
		Disks:       []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: testImage}},
		Networks:    []v1alpha1.Network{{Name: testNetwork}},
		SSHKeys:     []string{"default/mine"},
		Labels:      map[string]string{"team": "mine"},
		Annotations: map[string]string{"note": "mine", "more": "x"},
		VirtualMachine: overlay(`{"template":{"spec":{"terminationGracePeriodSeconds":7,"affinity":null,
			"domain":{"devices":{"tpm":null,"inputs":[{"name":"keyboard","type":"keyboard","bus":"usb"},{"name":"tablet","bus":"virtio"}]}}}}}`),
	}
	got := resolved(t, own, version(t))
	want := own.DeepCopy()
	want.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: "default/build-1"}
	want.Labels = map[string]string{"team": "mine", "harvesterhci.io/maintain-mode-strategy": "Shutdown", "tag.harvesterhci.io/cost": "ci"}
	want.Annotations["harvesterhci.io/reservedMemory"] = "256Mi"
	want.VirtualMachine = got.VirtualMachine
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	m := testMember()
	m.Template = *got
	spec, err := overlaid(m)
	if err != nil {
		t.Fatal(err)
	}
	vmi := spec.Template.Spec
	inputs := []kubevirtv1.Input{{Name: "tablet", Type: "tablet", Bus: "virtio"}, {Name: "keyboard", Type: "keyboard", Bus: "usb"}}
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
		"no memory": {[][2]string{{"spec.template.spec.domain.resources", ""}}, func(n *v1alpha1.NodeTemplate) { n.Memory = resource.MustParse("1Gi") },
			"it has no memory limit; set spec.template.memory"},
		"no cpu": {[][2]string{{"spec.template.spec.domain.cpu", ""}, {"spec.template.spec.domain.resources.limits", "{memory: 4Gi}"}}, func(n *v1alpha1.NodeTemplate) { n.CPU = 1 },
			"it has 0 CPUs; set spec.template.cpu to a number from 1 to 256"},
		"no disk": {[][2]string{{"spec.template.spec.volumes", ""}}, withOwnDisk, "it has no disk"},
		"image not chosen": {[][2]string{claims(`[{"metadata":{"name":"old-disk-0-a","annotations":{"harvesterhci.io/imageId":""}},"spec":{"storageClassName":"x","resources":{"requests":{"storage":"1Gi"}}}},{"metadata":{"name":"old-disk-1-b"},"spec":{"storageClassName":"x","resources":{"requests":{"storage":"1Gi"}}}}]`)},
			withOwnDisk, `its first disk, "disk-0", has no image to boot from; choose one in a new version or set spec.template.disks`},
		"no class": {[][2]string{claims(`[{"metadata":{"name":"old-disk-0-a","annotations":{"harvesterhci.io/imageId":"a/b"}},"spec":{"resources":{"requests":{"storage":"1Gi"}}}},{"metadata":{"name":"old-disk-1-b"},"spec":{"resources":{"requests":{"storage":"1Gi"}}}}]`)},
			withOwnDisk, `its disk "disk-1" has neither an image nor a storage class`},
		"existing volume":   {[][2]string{claims(`[]`)}, withOwnDisk, `its disk "disk-0" is an existing volume, which only one VM can have; use an image in a new version or set spec.template.disks`},
		"claims unreadable": {[][2]string{claims(`{`)}, withOwnDisk, "its annotation harvesterhci.io/volumeClaimTemplates: unexpected end of JSON input"},
		"cd-rom":            {[][2]string{{devices + "disks", "[{name: disk-1, cdrom: {bus: sata}}]"}}, withOwnDisk, `its disk "disk-1" is a CD-ROM with a volume of its own`},
		"masquerade": {[][2]string{{"spec.template.spec.networks", "[{name: lan, pod: {}}]"}}, withOwnNetwork,
			`its network "lan" is not a VLAN network with an interface of type bridge`},
		"sriov":              {[][2]string{{devices + "interfaces", "[{name: lan, sriov: {}}, {name: san, bridge: {}}]"}}, withOwnNetwork, `its network "lan" is not a VLAN network`},
		"network by itself":  {[][2]string{{devices + "interfaces", "[{name: san, bridge: {}}]"}}, withOwnNetwork, `its network "lan" has no interface`},
		"short network name": {[][2]string{{"spec.template.spec.networks", "[{name: lan, multus: {networkName: vlan}}]"}}, withOwnNetwork, `its network "lan" names "vlan" without a namespace`},
		"no network":         {[][2]string{{"spec.template.spec.networks", ""}}, withOwnNetwork, "it has no network; add one in a new version or set spec.template.networks"},
		"node selector": {[][2]string{{"spec.template.spec.nodeSelector", "{a: b}"}},
			func(n *v1alpha1.NodeTemplate) {
				n.VirtualMachine = overlay(`{"template":{"spec":{"nodeSelector":null}}}`)
			},
			"its VM: spec.vm.spec.template.spec.nodeSelector: can't be changed here: an upgrade of Harvester stops VMs with a nodeSelector"},
		"data volume templates": {[][2]string{{"spec.dataVolumeTemplates", "[{metadata: {name: x}, spec: {}}]"}}, nil, "its VM: spec.vm.spec.dataVolumeTemplates: can't be changed here"},
		"sysprep":               {[][2]string{{"spec.template.spec.volumes", "[{name: s, sysprep: {secret: {name: x}}}]"}}, nil, "it has no disk"},
		"unknown field":         {[][2]string{{"spec.template.spec.domain.turbo", "true"}}, nil, `its VM: spec.vm.spec: unknown field "template.spec.domain.turbo"`},
		"not a VM":              {[][2]string{{"spec", "{template: {spec: {domain: 7}}}"}}, nil, "its spec.vm.spec is not a KubeVirt VirtualMachineSpec"},
	} {
		t.Run(name, func(t *testing.T) {
			v := version(t, tt.edits...)
			_, problems := Resolve(&v1alpha1.NodeTemplate{}, v)
			found := slices.ContainsFunc(problems, func(p Problem) bool {
				return p.Reason == v1alpha1.ReasonTemplateInvalid && strings.HasPrefix(p.Message, `spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": `+tt.want)
			})
			if !found {
				t.Errorf("%q is not among %v", tt.want, problems)
			}
			if tt.without == nil {
				return
			}
			own := v1alpha1.NodeTemplate{}
			tt.without(&own)
			if _, problems := Resolve(&own, v); len(problems) > 0 {
				t.Errorf("still %v", problems)
			}
		})
	}
}

func withOwnDisk(n *v1alpha1.NodeTemplate) {
	n.Disks = []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: testImage}}
}

func withOwnNetwork(n *v1alpha1.NodeTemplate) { n.Networks = []v1alpha1.Network{{Name: testNetwork}} }

func TestResolveSizesWithHotplug(t *testing.T) {
	v := version(t,
		[2]string{"metadata.annotations", `{harvesterhci.io/enableCPUAndMemoryHotplug: "true", harvesterhci.io/volumeClaimTemplates: "[]"}`},
		[2]string{"spec.template.spec.domain.memory", "{guest: 2Gi, maxGuest: 16Gi}"})
	got, _ := Resolve(&v1alpha1.NodeTemplate{}, v)
	if want := resource.MustParse("2Gi"); got.Memory.Cmp(want) != 0 {
		t.Errorf("memory %v", got.Memory.String())
	}
}

func TestResolveRenamesDisksWithLongNames(t *testing.T) {
	v := version(t,
		[2]string{"spec.template.spec.domain.devices.disks", "[{name: the-disk-that-boots, disk: {bus: sata}}, {name: cd, cdrom: {bus: sata}}]"},
		[2]string{"spec.template.spec.volumes", "[{name: the-disk-that-boots, persistentVolumeClaim: {claimName: old-disk-0-a}}, {name: cd, containerDisk: {image: drivers}}]"})
	got := resolved(t, v1alpha1.NodeTemplate{}, v)
	m := testMember()
	m.Template = *got
	r := mustRender(t, m, testFactsFrom())
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

func testFactsFrom() Facts {
	f := testFacts()
	f.From = &TemplateCloudInit{
		UserData:    "#cloud-config\npackages: [jq]\ntimezone: Europe/Berlin\nruncmd: [[template]]\n",
		NetworkData: "version: 2\n",
	}
	return f
}

func TestCloudInitOfTheVersionIsBelow(t *testing.T) {
	m := testMember()
	m.Template = *resolved(t, v1alpha1.NodeTemplate{CloudInit: v1alpha1.CloudInit{
		UserData: "#cloud-config\npackages: [git]\ntimezone: UTC\n",
	}}, version(t))
	r := mustRender(t, m, testFactsFrom())
	config := yamlObject(t, string(r.Secret.Data["userdata"]))
	commands, _ := config["runcmd"].([]any)
	if !cmp.Equal(config["packages"], []any{"jq", "git"}) || config["timezone"] != "UTC" || len(commands) != 6 || !cmp.Equal(commands[2], []any{"template"}) {
		t.Errorf("%v", config)
	}
	if got := string(r.Secret.Data["networkdata"]); got != "version: 2\n" {
		t.Errorf("networkdata %q", got)
	}
	m.Template.CloudInit.NetworkData = "version: 1\nconfig: []\n"
	if got := string(mustRender(t, m, testFactsFrom()).Secret.Data["networkdata"]); got != "version: 1\nconfig: []\n" {
		t.Errorf("networkdata %q", got)
	}
}

func TestCheckOfAHarvesterTemplate(t *testing.T) {
	base := resolved(t, v1alpha1.NodeTemplate{}, version(t))
	for name, tt := range map[string]struct {
		from *TemplateCloudInit
		want Problem
	}{
		"gone": {nil, Problem{v1alpha1.ReasonTemplateNotFound,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/build-1" doesn't exist; create it or name another, as namespace/name (kubectl get virtualmachinetemplateversions.harvesterhci.io -A)`}},
		"secret gone": {&TemplateCloudInit{Problem: &Problem{v1alpha1.ReasonSecretNotFound, "x"}}, Problem{v1alpha1.ReasonSecretNotFound, "x"}},
		"a script": {&TemplateCloudInit{UserData: "#!/bin/sh\n"}, Problem{v1alpha1.ReasonTemplateInvalid,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": its cloud-init: the first line is not #cloud-config, it is a script; only such documents can be merged with what Nomad needs: put commands under runcmd, files under write_files; correct it in a new version`}},
		"of a member": {&TemplateCloudInit{UserData: "#cloud-config\nwrite_files: [{path: /etc/nomad.d/nomad.hcl}]\n"}, Problem{v1alpha1.ReasonTemplateInvalid,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": its cloud-init: write_files[0].path: /etc/nomad.d/nomad.hcl belongs to the controller; put additions into a file of another name beside it, such as /etc/nomad.d/50-site.hcl; correct it in a new version`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := testFacts()
			f.From = tt.from
			if diff := cmp.Diff([]Problem{tt.want}, Check(base, &v1alpha1.NomadClient{}, f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Another version is another revision, whatever is in it: its cloud-init isn't part of the copy.
func TestRevisionNamesTheVersion(t *testing.T) {
	c := testClient()
	a := resolved(t, v1alpha1.NodeTemplate{}, version(t))
	b := a.DeepCopy()
	b.From.Name = "default/build-2"
	if Revision(a, &c, "") == Revision(b, &c, "") {
		t.Error("two versions have the same revision")
	}
	again := resolved(t, v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplate, Name: "default/build"}}, version(t))
	if Revision(a, &c, "") != Revision(again, &c, "") {
		t.Error("one version has two revisions")
	}
}

// A resolved template can be resolved again, and is then the same: nothing of it is lost or added twice.
func TestResolveIsStable(t *testing.T) {
	c := testClient()
	once := resolved(t, v1alpha1.NodeTemplate{}, version(t))
	if twice := resolved(t, *once, version(t)); Revision(once, &c, "") != Revision(twice, &c, "") {
		t.Errorf("%s\n%s", once.VirtualMachine.Raw, twice.VirtualMachine.Raw)
	}
}

// stack is what merge would do in two steps, if a field has the same kind of value in all three, as in a VM's spec.
func TestStackIsMergeInTwoSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, under, over := shaped(2, false).Draw(t, "base"), shaped(2, false).Draw(t, "under"), shaped(2, true).Draw(t, "over")
		want := merge(merge(base, under), over)
		if got := merge(base, stack(under, over)); !cmp.Equal(want, got) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// shaped draws objects in which a key says what kind of value it has.
func shaped(depth int, nulls bool) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		object := map[string]any{}
		for _, key := range []string{"scalar", "object", "named"} {
			switch has := rapid.IntRange(0, 3).Draw(t, key); {
			case has == 0 && nulls:
				object[key] = nil
			case has <= 1:
			case key == "scalar":
				object[key] = rapid.Int8().Draw(t, "value")
			case depth == 0:
			case key == "object":
				object[key] = shaped(depth-1, nulls).Draw(t, "value")
			default:
				var list []any
				for _, name := range []string{"p", "q", "r"} {
					if rapid.Bool().Draw(t, name) {
						item := shaped(depth-1, nulls).Draw(t, "item")
						item["name"] = name
						list = append(list, item)
					}
				}
				object[key] = append([]any{}, list...)
			}
		}
		return object
	})
}

func TestRequestsOfTheVersionAreNotCopied(t *testing.T) {
	m := testMember()
	m.Template = *resolved(t, v1alpha1.NodeTemplate{}, version(t))
	domain := mustRender(t, m, testFactsFrom()).VM.Spec.Template.Spec.Domain
	if len(domain.Resources.Requests) > 0 || domain.Memory != nil || domain.CPU.MaxSockets != 0 || domain.CPU.Sockets != 1 || domain.CPU.Model != "host-passthrough" ||
		domain.Firmware.UUID != "" || domain.Firmware.Serial != "" || !*domain.Firmware.Bootloader.EFI.SecureBoot || domain.Resources.Limits[corev1.ResourceMemory] != resource.MustParse("4Gi") {
		t.Errorf("%+v", domain)
	}
}
