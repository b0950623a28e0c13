package vm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

func TestOverlayChangesWhatItNames(t *testing.T) {
	tests := map[string]struct {
		overlay string
		change  func(s *kubevirtv1.VirtualMachineInstanceSpec)
	}{
		"nothing": {`{}`, func(*kubevirtv1.VirtualMachineInstanceSpec) {}},
		"null":    {`null`, func(*kubevirtv1.VirtualMachineInstanceSpec) {}},
		"a field": {
			`{"template":{"spec":{"priorityClassName":"low","terminationGracePeriodSeconds":300}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				seconds := int64(300)
				s.PriorityClassName, s.TerminationGracePeriodSeconds = "low", &seconds
			},
		},
		"a field of our disk": {
			`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"data","disk":{"bus":"scsi"},"cache":"none"}]}}}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				s.Domain.Devices.Disks[1].Disk.Bus, s.Domain.Devices.Disks[1].Cache = "scsi", "none"
			},
		},
		"a CPU model": {
			`{"template":{"spec":{"domain":{"cpu":{"model":"host-passthrough"}}}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				s.Domain.CPU.Model = "host-passthrough"
			},
		},
		"huge pages": {
			`{"template":{"spec":{"domain":{"memory":{"hugepages":{"pageSize":"2Mi"}}}}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				s.Domain.Memory = &kubevirtv1.Memory{Hugepages: &kubevirtv1.Hugepages{PageSize: "2Mi"}}
			},
		},
		"secure boot": {
			`{"template":{"spec":{"domain":{"firmware":{"bootloader":{"efi":{"secureBoot":false}}}}}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				no := false
				s.Domain.Firmware = &kubevirtv1.Firmware{Bootloader: &kubevirtv1.Bootloader{EFI: &kubevirtv1.EFI{SecureBoot: &no}}}
			},
		},
		"another binding": {
			`{"template":{"spec":{"domain":{"devices":{"interfaces":[{"name":"nic-0","bridge":null,"sriov":{}}]}}}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				s.Domain.Devices.Interfaces[0].InterfaceBindingMethod = kubevirtv1.InterfaceBindingMethod{
					SRIOV: &kubevirtv1.InterfaceSRIOV{}}
			},
		},
		"a disk from a container": {
			`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"tools","cdrom":{"bus":"sata"}}]}},"volumes":[{"name":"tools","containerDisk":{"image":"a/b"}}]}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				s.Domain.Devices.Disks = append(s.Domain.Devices.Disks,
					kubevirtv1.Disk{Name: "tools", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: "sata"}}})
				s.Volumes = append(
					s.Volumes,
					kubevirtv1.Volume{Name: "tools",
						VolumeSource: kubevirtv1.VolumeSource{ContainerDisk: &kubevirtv1.ContainerDiskSource{Image: "a/b"}}},
				)
			},
		},
		"a further network": {
			`{"template":{"spec":{"domain":{"devices":{"interfaces":[{"name":"san","sriov":{}}]}},"networks":[{"name":"san","multus":{"networkName":"default/san"}}]}}}`,
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				s.Domain.Devices.Interfaces = append(
					s.Domain.Devices.Interfaces,
					kubevirtv1.Interface{Name: "san",
						InterfaceBindingMethod: kubevirtv1.InterfaceBindingMethod{SRIOV: &kubevirtv1.InterfaceSRIOV{}}},
				)
				s.Networks = append(
					s.Networks,
					kubevirtv1.Network{Name: "san",
						NetworkSource: kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: "default/san"}}},
				)
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := mustRender(t, blueprinttest.Member()).Spec
			tt.change(&want.Template.Spec)
			m := blueprinttest.Member()
			m.Template.VirtualMachine = blueprinttest.Overlay(tt.overlay)
			if diff := cmp.Diff(want, mustRender(t, m).Spec); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverlayAddsLabelsOfOthers(t *testing.T) {
	m := blueprinttest.Member()
	m.Template.VirtualMachine = blueprinttest.Overlay(
		`{"template":{"metadata":{"labels":{"a":"b"},"annotations":{"hooks.kubevirt.io/x":"y"}}}}`,
	)
	meta := mustRender(t, m).Spec.Template.ObjectMeta
	if meta.Labels["a"] != "b" || meta.Annotations["hooks.kubevirt.io/x"] != "y" {
		t.Errorf("%v, %v", meta.Labels, meta.Annotations)
	}
}

func TestOverlayIsRefused(t *testing.T) {
	const devices = `{"template":{"spec":{"domain":{"devices":`
	tests := map[string]struct{ overlay, field, why string }{
		"a misspelt field": {
			`{"template":{"spec":{"domian":{}}}}`,
			`unknown field "template.spec.domian"`,
			"kubectl explain",
		},
		"a misspelt disk": {
			devices + `{"disks":[{"name":"x","dsk":{}}]}}}}}`,
			`unknown field "template.spec.domain.devices.disks[0].dsk"`,
			"kubectl explain",
		},
		"a wrong case":  {`{"template":{"Spec":{}}}`, `unknown field "template.Spec"`, ""},
		"a key twice":   {`{"running":true,"running":true}`, `duplicate field "running"`, ""},
		"a wrong kind":  {`{"template":{"spec":{"hostname":1}}}`, "not a KubeVirt VirtualMachineSpec", "hostname"},
		"a list":        {`[]`, "not a KubeVirt VirtualMachineSpec", ""},
		"no JSON":       {`{`, "not a KubeVirt VirtualMachineSpec", ""},
		"running":       {`{"running":true}`, "running", "runStrategy"},
		"run strategy":  {`{"runStrategy":"Manual"}`, "runStrategy", "delete its NomadNode"},
		"data volumes":  {`{"dataVolumeTemplates":[{"spec":{}}]}`, "dataVolumeTemplates", "use spec.template.disks"},
		"instance type": {`{"instancetype":{"name":"x"}}`, "instancetype", "use spec.template.cpu"},
		"preference":    {`{"preference":{"name":"x"}}`, "preference", "preferences"},
		"no template":   {`{"template":null}`, "template", "can't be removed"},
		"owner": {
			`{"template":{"metadata":{"finalizers":["a/b"]}}}`,
			"template.metadata",
			"only labels and annotations",
		},
		"pool label": {
			`{"template":{"metadata":{"labels":{"nomad.harvesterhci.io/pool":"x"}}}}`,
			"template.metadata.labels",
			"another prefix",
		},
		"no labels": {`{"template":{"metadata":{"labels":null}}}`, "template.metadata.labels", "another prefix"},
		"vmName": {
			`{"template":{"metadata":{"labels":{"harvesterhci.io/vmName":"x"}}}}`,
			"template.metadata.labels",
			"another prefix",
		},
		"ssh names": {
			`{"template":{"metadata":{"annotations":{"harvesterhci.io/sshNames":"[]"}}}}`,
			"template.metadata.annotations",
			"another prefix",
		},
		"hostname": {`{"template":{"spec":{"hostname":"x"}}}`, "template.spec.hostname", "the controller sets it"},
		"node selector": {
			`{"template":{"spec":{"nodeSelector":{"a":"b"}}}}`,
			"template.spec.nodeSelector",
			"an upgrade of Harvester stops VMs",
		},
		"grace": {
			`{"template":{"spec":{"terminationGracePeriodSeconds":-1}}}`,
			"template.spec.terminationGracePeriodSeconds",
			"negative",
		},
		"sockets": {
			`{"template":{"spec":{"domain":{"cpu":{"sockets":2}}}}}`,
			"template.spec.domain.cpu",
			"use spec.template.cpu",
		},
		"no cpu": {
			`{"template":{"spec":{"domain":{"cpu":null}}}}`,
			"template.spec.domain.cpu",
			"use spec.template.cpu",
		},
		"guest memory": {
			`{"template":{"spec":{"domain":{"memory":{"guest":"1Gi"}}}}}`,
			"template.spec.domain.memory",
			"use spec.template.memory",
		},
		"limits": {
			`{"template":{"spec":{"domain":{"resources":{"limits":{"memory":"1Gi"}}}}}}`,
			"template.spec.domain.resources.limits",
			"use spec.template.cpu and spec.template.memory",
		},
		"no limits": {
			`{"template":{"spec":{"domain":{"resources":null}}}}`,
			"template.spec.domain.resources.limits",
			"use spec.template.cpu and spec.template.memory",
		},
		"requests": {
			`{"template":{"spec":{"domain":{"resources":{"requests":{"memory":"1Gi"}}}}}}`,
			"template.spec.domain.resources.requests",
			"overcommit",
		},
		"firmware uuid": {
			`{"template":{"spec":{"domain":{"firmware":{"uuid":"5d307ca9-b3ef-428c-8861-06e72d69f223"}}}}}`,
			"template.spec.domain.firmware",
			"uuid and serial",
		},
		"boot order": {
			devices + `{"disks":[{"name":"root","bootOrder":3}]}}}}}`,
			"template.spec.domain.devices.disks",
			"boot order",
		},
		"a disk as CD-ROM": {
			devices + `{"disks":[{"name":"root","disk":null,"cdrom":{}}]}}}}}`,
			"template.spec.domain.devices.disks",
			"boot order",
		},
		"cloud-init disk": {
			devices + `{"disks":[{"name":"cloudinitdisk","cache":"none"}]}}}}}`,
			"template.spec.domain.devices.disks",
			"cloudinitdisk",
		},
		"no disks": {devices + `{"disks":null}}}}}`, "template.spec.domain.devices.disks", "spec.template.disks"},
		"our claim": {
			`{"template":{"spec":{"volumes":[{"name":"root","persistentVolumeClaim":{"claimName":"x"}}]}}}`,
			"template.spec.volumes",
			"use spec.template.disks",
		},
		"another claim": {
			`{"template":{"spec":{"volumes":[{"name":"x","persistentVolumeClaim":{"claimName":"x"}}]}}}`,
			"template.spec.volumes",
			"use spec.template.disks",
		},
		"a host's file": {
			`{"template":{"spec":{"volumes":[{"name":"x","hostDisk":{"path":"/x","type":"Disk"}}]}}}`,
			"template.spec.volumes",
			"disks of the host",
		},
		"a path of the pod": {
			`{"template":{"spec":{"volumes":[{"name":"x","containerPath":{"path":"/var/run/secrets"}}]}}}`,
			"template.spec.volumes",
			"use spec.template.disks",
		},
		"a utility volume": {
			`{"template":{"spec":{"utilityVolumes":[{"name":"x","claimName":"x"}]}}}`,
			"template.spec.utilityVolumes",
			"leave them to KubeVirt",
		},
		"another cloud-init": {
			`{"template":{"spec":{"volumes":[{"name":"x","cloudInitNoCloud":{"userData":"x"}}]}}}`,
			"template.spec.volumes",
			"spec.template.cloudInit",
		},
		"our cloud-init": {
			`{"template":{"spec":{"volumes":[{"name":"cloudinitdisk","cloudInitNoCloud":{"secretRef":{"name":"x"}}}]}}}`,
			"template.spec.volumes",
			"spec.template.cloudInit",
		},
		"no volumes": {`{"template":{"spec":{"volumes":null}}}`, "template.spec.volumes", "use spec.template.disks"},
		"our network": {
			`{"template":{"spec":{"networks":[{"name":"nic-0","multus":{"networkName":"a/b"}}]}}}`,
			"template.spec.networks",
			"spec.template.networks",
		},
		"pod network": {
			`{"template":{"spec":{"networks":[{"name":"x","pod":{}}]}}}`,
			"template.spec.networks",
			"multus",
		},
		"unqualified": {
			`{"template":{"spec":{"networks":[{"name":"x","multus":{"networkName":"b"}}]}}}`,
			"template.spec.networks",
			"namespace/name",
		},
		"masquerade": {
			devices + `{"interfaces":[{"name":"nic-0","bridge":null,"masquerade":{}}]}}}}}`,
			"template.spec.domain.devices.interfaces",
			"10.0.2.2",
		},
		"MAC address": {
			devices + `{"interfaces":[{"name":"nic-0","macAddress":"02:00:00:00:00:01"}]}}}}}`,
			"template.spec.domain.devices.interfaces",
			"macAddress",
		},
		"no interfaces": {
			devices + `{"interfaces":null}}}}}`,
			"template.spec.domain.devices.interfaces",
			"each network keeps its interface",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tmpl := blueprinttest.Template()
			tmpl.VirtualMachine = blueprinttest.Overlay(tt.overlay)
			errs := OverlayErrors(&tmpl)
			if len(errs) != 1 {
				t.Fatalf("%d errors: %v", len(errs), errs)
			}
			if message := errs[0].Error(); !strings.HasPrefix(message, "spec.template.virtualMachine") ||
				!strings.Contains(message, tt.field) || !strings.Contains(message, tt.why) {
				t.Errorf("got %s", message)
			}
		})
	}
}

func TestOverlayNamesEachFieldAtFault(t *testing.T) {
	tmpl := blueprinttest.Template()
	for doc, want := range map[string]int{
		`{"running":true,"template":{"spec":{"hostname":"x","nodeSelector":{"a":"b"}}}}`: 3,
		`{"nothing":true,"template":{"spec":{"hostnam":"x"}}}`:                           2,
	} {
		tmpl.VirtualMachine = blueprinttest.Overlay(doc)
		if errs := OverlayErrors(&tmpl); len(errs) != want {
			t.Errorf("%s: %d errors, want %d: %v", doc, len(errs), want, errs)
		}
	}
}

func TestOverlayThatIsTooLong(t *testing.T) {
	tmpl := blueprinttest.Template()
	tmpl.VirtualMachine = blueprinttest.Overlay(
		`{"template":{"metadata":{"annotations":{"x":"` + strings.Repeat("y", MaxOverlay) + `"}}}}`,
	)
	if errs := OverlayErrors(&tmpl); len(errs) != 1 || !strings.Contains(errs[0].Error(), "it is longer than 16 KiB") {
		t.Errorf("%.200v", errs)
	}
}
