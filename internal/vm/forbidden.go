package vm

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// guarded is a part of the VM's spec that an overlay must leave as it is.
type guarded struct {
	// path of the field below the overlay.
	path string
	// why it must, and what to do instead.
	why string
	// of is the part. Its second argument is the spec without the overlay, which says what is the controller's.
	of func(s, base *kubevirtv1.VirtualMachineSpec) any
}

const (
	whyIdentity = "it tells this member from others; the controller sets it"
	whyCPU      = "Harvester allows one socket and shows the cores; use spec.template.cpu"
	whyMemory   = "Harvester's admission computes it from the limit; use spec.template.memory"
	whySame     = "all members would have the same one; leave it to Harvester"
)

// specGuards are the guarded parts outside of the VM's instance.
var specGuards = []guarded{
	{"running", "a VM has either that or a runStrategy; the controller sets the latter",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.Running }},
	{"runStrategy", "members run until they are removed; to remove one, delete its NomadNode",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.RunStrategy }},
	{"dataVolumeTemplates", "Harvester doesn't show, count or remove such disks; use spec.template.disks",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.DataVolumeTemplates }},
	{"instancetype", "Harvester's UI needs the sizes in the VM itself; use spec.template.cpu and spec.template.memory",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.Instancetype }},
	{"preference", "Harvester's UI doesn't know preferences; set the fields here",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.Preference }},
	{"template.metadata", "only labels and annotations can be added here; name, owners and finalizers are KubeVirt's",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any {
			meta := s.Template.ObjectMeta.DeepCopy()
			meta.Labels, meta.Annotations = nil, nil
			return *meta
		}},
	{"template.metadata.labels",
		"keys of harvesterhci.io belong to the controller and to Harvester; choose another prefix",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return platformKeys(s.Template.ObjectMeta.Labels) }},
	{"template.metadata.annotations",
		"keys of harvesterhci.io belong to the controller and to Harvester; choose another prefix",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return platformKeys(s.Template.ObjectMeta.Annotations) }},
}

// instanceGuards are the guarded parts of the VM's instance.
var instanceGuards = []guarded{
	{"template.spec.hostname", whyIdentity,
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.Template.Spec.Hostname }},
	{"template.spec.nodeSelector",
		"an upgrade of Harvester stops VMs with a nodeSelector instead of migrating them; use affinity.nodeAffinity, with more than one host to choose from",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.Template.Spec.NodeSelector }},
	{
		"template.spec.terminationGracePeriodSeconds",
		"it can't be negative; use the seconds that a guest needs to shut down",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any {
			grace := s.Template.Spec.TerminationGracePeriodSeconds
			return grace != nil && *grace < 0
		},
	},
	{"template.spec.domain.cpu", whyCPU, func(s, _ *kubevirtv1.VirtualMachineSpec) any {
		cpu := s.Template.Spec.Domain.CPU
		if cpu == nil {
			return nil
		}
		return [4]uint32{cpu.Sockets, cpu.Cores, cpu.Threads, cpu.MaxSockets}
	}},
	{"template.spec.domain.memory", whyMemory, func(s, _ *kubevirtv1.VirtualMachineSpec) any {
		memory := s.Template.Spec.Domain.Memory
		return memory != nil && (memory.Guest != nil || memory.MaxGuest != nil)
	}},
	{
		"template.spec.domain.resources.limits",
		"cpu and memory are shown and counted by Harvester; use spec.template.cpu and spec.template.memory",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any {
			limits := s.Template.Spec.Domain.Resources.Limits
			return [2]string{quantity(limits, corev1.ResourceCPU), quantity(limits, corev1.ResourceMemory)}
		},
	},
	{"template.spec.domain.resources.requests",
		"Harvester's admission computes them from the limits and its overcommit setting; leave them out",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.Template.Spec.Domain.Resources.Requests }},
	{"template.spec.domain.firmware", "uuid and serial: " + whySame, func(s, _ *kubevirtv1.VirtualMachineSpec) any {
		firmware := s.Template.Spec.Domain.Firmware
		return firmware != nil && (firmware.UUID != "" || firmware.Serial != "")
	}},
}

// deviceGuards are the guarded parts of lists. Items of the controller stay, in their order; items of others may be
// added if they are no disk that outlives or is shared by members, and no network on which a guest can't be reached.
var deviceGuards = []guarded{
	{
		"template.spec.domain.devices.disks",
		"disks of spec.template.disks keep their names and boot order, and " + CloudInitDisk + " is the controller's; other fields of a disk can be changed",
		func(s, base *kubevirtv1.VirtualMachineSpec) any {
			return ownDisks(s, len(base.Template.Spec.Domain.Devices.Disks))
		},
	},
	{"template.spec.volumes",
		"claims, disks of the host and cloud-init belong to one VM alone; use spec.template.disks and spec.template.cloudInit",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return ownedVolumes(s.Template.Spec.Volumes) }},
	{
		"template.spec.networks",
		"the networks of the members are spec.template.networks, in which type: Management is the pod network; others can be added, as multus networks of the form namespace/name",
		func(s, base *kubevirtv1.VirtualMachineSpec) any {
			return guardedNetworks(s.Template.Spec.Networks, len(base.Template.Spec.Networks))
		},
	},
	{"template.spec.domain.devices.interfaces", "each network keeps its interface",
		func(s, base *kubevirtv1.VirtualMachineSpec) any {
			return firstNames(s.Template.Spec.Domain.Devices.Interfaces, len(base.Template.Spec.Networks),
				func(i kubevirtv1.Interface) string { return i.Name })
		}},
	{
		"template.spec.domain.devices.interfaces",
		"masquerade gives each guest the same address, 10.0.2.2, at which no Nomad server can reach it; keep bridge, or if that will do set type: Management in spec.template.networks",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any {
			return interfacesWith(s, func(i kubevirtv1.Interface) bool { return i.Masquerade != nil })
		},
	},
	{"template.spec.domain.devices.interfaces", "macAddress: " + whySame,
		func(s, _ *kubevirtv1.VirtualMachineSpec) any {
			return interfacesWith(s, func(i kubevirtv1.Interface) bool { return i.MacAddress != "" })
		}},
}

// forbidden names each part that an overlay has changed and must not; base is the spec without it.
func forbidden(base, merged *kubevirtv1.VirtualMachineSpec) []error {
	if merged.Template == nil {
		return []error{fmt.Errorf("%s.template: it can't be removed; leave it out to change nothing", OverlayPath)}
	}
	var errs []error
	for _, g := range slices.Concat(specGuards, instanceGuards, deviceGuards) {
		if !equality.Semantic.DeepEqual(g.of(base, base), g.of(merged, base)) {
			errs = append(errs, fmt.Errorf("%s.%s: can't be changed here: %s", OverlayPath, g.path, g.why))
		}
	}
	return errs
}

// platformDomain matches the keys that are the controller's or Harvester's.
var platformDomain = regexp.MustCompile(`^([^/]+\.)?harvesterhci\.io/`)

func platformKeys(all map[string]string) map[string]string {
	own := maps.Clone(all)
	maps.DeleteFunc(own, func(key, _ string) bool { return !platformDomain.MatchString(key) })
	return own
}

func quantity(list corev1.ResourceList, name corev1.ResourceName) string {
	q, ok := list[name]
	if !ok {
		return ""
	}
	return q.String()
}

// ownDisk is what must stay of a disk of the controller's.
type ownDisk struct {
	Name      string
	BootOrder *uint
	IsDisk    bool
}

// ownDisks is what must stay of the first n disks, and the last of these, cloud-init's, as a whole.
func ownDisks(s *kubevirtv1.VirtualMachineSpec, n int) any {
	all := s.Template.Spec.Domain.Devices.Disks
	if len(all) < n {
		return nil
	}
	disks := make([]ownDisk, 0, n)
	for _, d := range all[:n] {
		disks = append(disks, ownDisk{Name: d.Name, BootOrder: d.BootOrder, IsDisk: d.Disk != nil})
	}
	return struct {
		Own       []ownDisk
		CloudInit kubevirtv1.Disk
	}{disks, all[n-1]}
}

// ownedVolumes are the volumes that can be one VM's alone: claims, however they are named, files of the host, and
// cloud-init.
func ownedVolumes(all []kubevirtv1.Volume) []kubevirtv1.Volume {
	var own []kubevirtv1.Volume
	for _, v := range all {
		if v.PersistentVolumeClaim != nil || v.DataVolume != nil || v.Ephemeral != nil || v.MemoryDump != nil || v.HostDisk != nil ||
			v.CloudInitNoCloud != nil ||
			v.CloudInitConfigDrive != nil ||
			v.Sysprep != nil {
			own = append(own, v)
		}
	}
	return own
}

// guardedNetworks are the first n networks, which are the template's, and of the others those that can't be.
func guardedNetworks(all []kubevirtv1.Network, n int) []kubevirtv1.Network {
	var guarded []kubevirtv1.Network
	for i, net := range all {
		if i < n || net.Multus == nil || !strings.Contains(net.Multus.NetworkName, "/") {
			guarded = append(guarded, net)
		}
	}
	return guarded
}

func firstNames[T any](items []T, n int, name func(T) string) []string {
	var names []string
	for i, item := range items {
		if i < n {
			names = append(names, name(item))
		}
	}
	return names
}

func interfacesWith(s *kubevirtv1.VirtualMachineSpec, has func(kubevirtv1.Interface) bool) []string {
	var names []string
	for _, i := range s.Template.Spec.Domain.Devices.Interfaces {
		if has(i) {
			names = append(names, i.Name)
		}
	}
	return names
}
