package vm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

const (
	// creator is informative only: any edit in Harvester's UI rewrites it, so nothing may select by it.
	creator = "nomad-harvester"

	// runStrategy starts a guest again after each stop that nobody requested. Harvester's default, RerunOnFailure, doesn't
	// start a guest again that was shut down or evicted.
	runStrategy = kubevirtv1.RunStrategyAlways
	// gracePeriodSeconds is Harvester's own default for the time a guest gets to shut down.
	gracePeriodSeconds = 120
)

// Keys that Harvester and its UI read.
const (
	creatorLabel      = "harvesterhci.io/creator"
	OSLabel           = "harvesterhci.io/os"
	vmNameLabel       = "harvesterhci.io/vmName"
	vmNamePrefixLabel = "harvesterhci.io/vmNamePrefix"

	ClaimTemplatesAnnotation = "harvesterhci.io/volumeClaimTemplates"
	ImageIDAnnotation        = "harvesterhci.io/imageId"
	// runStrategyAnnotation is what a stopped VM is started with again (Harvester: virtualmachine/mutator.go).
	runStrategyAnnotation = "harvesterhci.io/vmRunStrategy"
	sshNamesAnnotation    = "harvesterhci.io/sshNames"
	ipsAnnotation         = "network.harvesterhci.io/ips"
	DescriptionAnnotation = "field.cattle.io/description"
)

// Render is the member's VM. It has no owner reference, with which both consoles of Harvester's UI would break
// (Harvester UI: components/VMConsoleBar.vue), and no finalizer of the controller's, which would block its deletion
// once the controller is removed.
func Render(m blueprint.Member, f blueprint.Facts) (*kubevirtv1.VirtualMachine, error) {
	claims, err := claimTemplates(m, f)
	if err != nil {
		return nil, err
	}
	spec, err := overlaid(m)
	if err != nil {
		return nil, err
	}
	return &kubevirtv1.VirtualMachine{
		TypeMeta: metav1.TypeMeta{
			APIVersion: kubevirtv1.VirtualMachineGroupVersionKind.GroupVersion().String(),
			Kind:       kubevirtv1.VirtualMachineGroupVersionKind.Kind,
		},
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   m.Namespace,
			Name:        m.Name,
			Labels:      vmLabels(m),
			Annotations: vmAnnotations(m, claims),
		},
		Spec: *spec,
	}, nil
}

func vmLabels(m blueprint.Member) map[string]string {
	labels := sharedLabels(m)
	labels[OSLabel] = cmp.Or(m.Template.OS, blueprint.DefaultOS)
	return labels
}

// sharedLabels are on the VM and on its template: Harvester removes every label from an instance that its template
// doesn't have (Harvester: vm_controller.go, SyncLabelsToVmi).
func sharedLabels(m blueprint.Member) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, m.Template.Labels)
	labels[creatorLabel] = creator
	labels[v1alpha1.PoolLabel] = m.PoolName
	labels[v1alpha1.RevisionLabel] = m.Revision
	return labels
}

func vmAnnotations(m blueprint.Member, claims string) map[string]string {
	description := cmp.Or(m.Template.Description, fmt.Sprintf(
		"Nomad client of NomadNodePool %s/%s. To remove it, delete the NomadNode that has this VM's name, in the same namespace.",
		m.Namespace, m.PoolName))
	annotations := map[string]string{}
	maps.Copy(annotations, m.Template.Annotations)
	maps.Copy(annotations, map[string]string{
		v1alpha1.PoolUIDAnnotation: m.PoolUID,
		v1alpha1.MemberAnnotation:  m.Name,
		v1alpha1.NodeIDAnnotation:  m.NodeID,
		ClaimTemplatesAnnotation:   claims,
		runStrategyAnnotation:      string(runStrategy),
		DescriptionAnnotation:      description,
		ipsAnnotation:              "[]",
	})
	return annotations
}

// baseSpec is the VM's spec before the template's overlay. What Harvester's admission computes (requests, guest memory,
// MAC addresses, maxSockets) stays unset.
func baseSpec(m blueprint.Member) *kubevirtv1.VirtualMachineSpec {
	strategy := runStrategy
	labels := sharedLabels(m)
	labels[vmNameLabel] = m.Name
	labels[vmNamePrefixLabel] = m.PoolName
	return &kubevirtv1.VirtualMachineSpec{
		RunStrategy: &strategy,
		Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{
				Labels:      labels,
				Annotations: map[string]string{sshNamesAnnotation: sshNames(&m.Template), v1alpha1.MemberAnnotation: m.Name},
			},
			Spec: instanceSpec(m),
		},
	}
}

func instanceSpec(m blueprint.Member) kubevirtv1.VirtualMachineInstanceSpec {
	evict := kubevirtv1.EvictionStrategyLiveMigrateIfPossible
	grace := int64(gracePeriodSeconds)
	acpi := true
	interfaces, networks := networking(&m.Template)
	return kubevirtv1.VirtualMachineInstanceSpec{
		Hostname:                      m.Name,
		EvictionStrategy:              &evict,
		TerminationGracePeriodSeconds: &grace,
		Affinity:                      spread(m.PoolName),
		Domain: kubevirtv1.DomainSpec{
			// Harvester sets maxSockets to 1, and KubeVirt refuses more sockets than that.
			CPU: &kubevirtv1.CPU{Sockets: 1, Cores: uint32(m.Template.CPU), Threads: 1},
			// The UI shows the limits, and Harvester's overcommit computes the requests from them.
			Resources: kubevirtv1.ResourceRequirements{Limits: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse(strconv.Itoa(int(m.Template.CPU))),
				corev1.ResourceMemory: m.Template.Memory.DeepCopy(),
			}},
			Features: &kubevirtv1.Features{ACPI: kubevirtv1.FeatureState{Enabled: &acpi}},
			Devices: kubevirtv1.Devices{
				// The UI compares this list as a whole to show "Enable USB Tablet" as ticked.
				Inputs:     []kubevirtv1.Input{{Name: "tablet", Type: kubevirtv1.InputTypeTablet, Bus: kubevirtv1.InputBusUSB}},
				Interfaces: interfaces,
				Disks:      disks(&m.Template),
			},
		},
		Networks: networks,
		Volumes:  volumes(m),
	}
}

// networking is one interface for each network of the template. Bridged on a VLAN, a guest has an address of its own,
// which survives live migration. The MAC address is Harvester's to choose.
func networking(t *v1alpha1.NodeTemplate) ([]kubevirtv1.Interface, []kubevirtv1.Network) {
	interfaces := make([]kubevirtv1.Interface, 0, len(t.Networks))
	networks := make([]kubevirtv1.Network, 0, len(t.Networks))
	for i, n := range t.Networks {
		name := NICName(i)
		binding := kubevirtv1.InterfaceBindingMethod{Bridge: &kubevirtv1.InterfaceBridge{}}
		source := kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: n.Name}}
		if n.Type == v1alpha1.NetworkManagement {
			// Bridged, the VM couldn't be migrated.
			binding = kubevirtv1.InterfaceBindingMethod{Masquerade: &kubevirtv1.InterfaceMasquerade{}}
			source = kubevirtv1.NetworkSource{Pod: &kubevirtv1.PodNetwork{}}
		}
		interfaces = append(interfaces,
			kubevirtv1.Interface{Name: name, Model: kubevirtv1.VirtIO, InterfaceBindingMethod: binding})
		networks = append(networks, kubevirtv1.Network{Name: name, NetworkSource: source})
	}
	return interfaces, networks
}

// NICName is the name of a network, and of its interface, by its place in the template.
func NICName(i int) string { return "nic-" + strconv.Itoa(i) }

// spread prefers a host for each member of a pool, so that the loss of a host takes few of them. It only prefers: a
// pool may have more members than there are hosts.
func spread(poolName string) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey:   corev1.LabelHostname,
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.PoolLabel: poolName}},
			},
		}},
	}}
}

// sshNames is the JSON list of key pairs that the UI shows.
func sshNames(t *v1alpha1.NodeTemplate) string {
	names := append([]string{}, t.SSHKeys...)
	doc, _ := json.Marshal(names) // A list of strings always marshals.
	return string(doc)
}
