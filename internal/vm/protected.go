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

// protectedField is a part of the VM's spec that an overlay must not change.
type protectedField struct {
	// path of the field below the overlay.
	path string
	// why it is protected, and what to do instead.
	why string
	// of returns the part of the spec s. base is the spec without the overlay, which has what the controller sets.
	of func(s, base *kubevirtv1.VirtualMachineSpec) any
}

const (
	whyIdentity = "it tells this member from others; the controller sets it"
	whyCPU      = "Harvester allows one socket and shows the cores; use spec.template.cpu"
	whyMemory   = "Harvester's admission computes it from the limit; use spec.template.memory"
	whySame     = "all members would have the same one; leave it to Harvester"
)

// protectedSpec are the protected fields outside of the VM's instance.
var protectedSpec = []protectedField{
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

// protectedInstance are the protected fields of the VM's instance.
var protectedInstance = []protectedField{
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

// protectedLists are the protected fields that are lists. The controller's items stay, in their order. Others may be
// added, except for disks that outlive a member or are shared by members, and networks on which a guest can't be
// reached.
var protectedLists = []protectedField{
	{
		"template.spec.domain.devices.disks",
		"disks of spec.template.disks keep their names and boot order, and " + CloudInitDisk +
			" is the controller's; other fields of a disk can be changed",
		func(s, base *kubevirtv1.VirtualMachineSpec) any {
			return controllersDisks(s, len(base.Template.Spec.Domain.Devices.Disks))
		},
	},
	{"template.spec.volumes",
		"claims, disks of the host and cloud-init belong to one VM alone; use spec.template.disks and spec.template.cloudInit",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return exclusiveVolumes(s.Template.Spec.Volumes) }},
	{"template.spec.utilityVolumes", "claims belong to one VM alone; leave them to KubeVirt, which attaches them",
		func(s, _ *kubevirtv1.VirtualMachineSpec) any { return s.Template.Spec.UtilityVolumes }},
	{
		"template.spec.networks",
		"the networks of the members are spec.template.networks, in which type: Management is the pod network; others can be added, as multus networks of the form namespace/name",
		func(s, base *kubevirtv1.VirtualMachineSpec) any {
			return protectedNetworks(s.Template.Spec.Networks, len(base.Template.Spec.Networks))
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

// protectedChanges returns an error for each protected field that an overlay has changed; base is the spec without the
// overlay.
func protectedChanges(base, merged *kubevirtv1.VirtualMachineSpec) []error {
	if merged.Template == nil {
		return []error{fmt.Errorf("%s.template: it can't be removed; leave it out to change nothing", OverlayPath)}
	}
	var errs []error
	for _, field := range slices.Concat(protectedSpec, protectedInstance, protectedLists) {
		if !equality.Semantic.DeepEqual(field.of(base, base), field.of(merged, base)) {
			errs = append(errs, fmt.Errorf("%s.%s: can't be changed here: %s", OverlayPath, field.path, field.why))
		}
	}
	return errs
}

// platformDomain matches the keys that belong to the controller or to Harvester.
var platformDomain = regexp.MustCompile(`^([^/]+\.)?harvesterhci\.io/`)

func platformKeys(all map[string]string) map[string]string {
	kept := maps.Clone(all)
	maps.DeleteFunc(kept, func(key, _ string) bool { return !platformDomain.MatchString(key) })
	return kept
}

func quantity(list corev1.ResourceList, name corev1.ResourceName) string {
	q, ok := list[name]
	if !ok {
		return ""
	}
	return q.String()
}

// controllersDisk is the protected part of a disk that the controller sets.
type controllersDisk struct {
	Name      string
	BootOrder *uint
	IsDisk    bool
}

// controllersDisks is the protected part of the first n disks. The last of these, cloud-init's, is protected as a
// whole.
func controllersDisks(s *kubevirtv1.VirtualMachineSpec, n int) any {
	all := s.Template.Spec.Domain.Devices.Disks
	if len(all) < n {
		return nil
	}
	disks := make([]controllersDisk, 0, n)
	for _, d := range all[:n] {
		disks = append(disks, controllersDisk{Name: d.Name, BootOrder: d.BootOrder, IsDisk: d.Disk != nil})
	}
	return struct {
		Disks     []controllersDisk
		CloudInit kubevirtv1.Disk
	}{disks, all[n-1]}
}

// exclusiveVolumes are the volumes of other kinds than those that any number of VMs can have. They are claims in any
// form, files of the host, and cloud-init.
func exclusiveVolumes(all []kubevirtv1.Volume) []kubevirtv1.Volume {
	var kept []kubevirtv1.Volume
	for _, v := range all {
		other := v.VolumeSource
		other.ContainerDisk, other.EmptyDisk, other.DownwardMetrics = nil, nil, nil
		other.ConfigMap, other.Secret, other.DownwardAPI, other.ServiceAccount = nil, nil, nil, nil
		if other != (kubevirtv1.VolumeSource{}) {
			kept = append(kept, v)
		}
	}
	return kept
}

// protectedNetworks are the first n networks, which are the template's, and of the others those that may not be added.
func protectedNetworks(all []kubevirtv1.Network, n int) []kubevirtv1.Network {
	var fixed []kubevirtv1.Network
	for i, net := range all {
		if i < n || net.Multus == nil || !strings.Contains(net.Multus.NetworkName, "/") {
			fixed = append(fixed, net)
		}
	}
	return fixed
}

func firstNames[T any](items []T, n int, name func(T) string) []string {
	var names []string
	for _, item := range items[:min(n, len(items))] {
		names = append(names, name(item))
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
