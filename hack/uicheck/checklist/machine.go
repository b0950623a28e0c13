package checklist

import (
	"fmt"
	"slices"
	"strings"

	kubevirtv1 "kubevirt.io/api/core/v1"
)

// machine is what a VM is made of.
var machine = []demand{
	{"spec.runStrategy: Always; spec.running: unset", func(s Subject) string {
		strategy := s.VM.Spec.RunStrategy
		return unless(s.VM.Spec.Running == nil && strategy != nil && *strategy == kubevirtv1.RunStrategyAlways,
			"running %s, runStrategy %s", shown(s.VM.Spec.Running), shown(strategy))
	}},
	// Harvester: virtualmachine/mutator.go sets maxSockets to 1, and KubeVirt refuses more sockets than that.
	{"cpu: one socket, one thread, as many cores as limits.cpu", func(s Subject) string {
		cpu, limit := s.VM.Spec.Template.Spec.Domain.CPU, s.VM.Spec.Template.Spec.Domain.Resources.Limits.Cpu().Value()
		return unless(cpu != nil && cpu.Sockets == 1 && cpu.Threads == 1 && int64(cpu.Cores) == limit, "%+v, limit %d", cpu,
			limit)
	}},
	// Harvester UI: models/kubevirt.io.virtualmachine.js; Harvester: templateversion/validator.go.
	{"resources.limits: cpu and memory", func(s Subject) string {
		limits := s.VM.Spec.Template.Spec.Domain.Resources.Limits
		return unless(!limits.Cpu().IsZero() && !limits.Memory().IsZero(), "%v", limits)
	}},
	// Harvester: virtualmachine/mutator.go. Its webhook may be skipped when it doesn't answer.
	{"requests, memory.guest, maxSockets: Harvester's to set", func(s Subject) string {
		domain := s.VM.Spec.Template.Spec.Domain
		requests := len(domain.Resources.Requests) > 0
		guest := domain.Memory != nil && domain.Memory.Guest != nil
		if s.Live {
			return unless(requests && guest, "Harvester's admission hasn't set them")
		}
		return unless(!requests && !guest && (domain.CPU == nil || domain.CPU.MaxSockets == 0), "%+v", domain)
	}},
	{"features.acpi: enabled, or no guest can be shut down", func(s Subject) string {
		features := s.VM.Spec.Template.Spec.Domain.Features
		return unless(features != nil && features.ACPI.Enabled != nil && *features.ACPI.Enabled, "%+v", features)
	}},
	// Harvester UI: mixins/harvester-vm, handlerUSBTablet compares the whole list.
	{"devices.inputs: the USB tablet alone", func(s Subject) string {
		inputs := s.VM.Spec.Template.Spec.Domain.Devices.Inputs
		return unless(slices.Equal(inputs, []kubevirtv1.Input{{Name: "tablet", Type: "tablet", Bus: "usb"}}), "%v", inputs)
	}},
	{"evictionStrategy: set, so that a host can be freed", func(s Subject) string {
		strategy := s.VM.Spec.Template.Spec.EvictionStrategy
		frees := []kubevirtv1.EvictionStrategy{kubevirtv1.EvictionStrategyLiveMigrateIfPossible,
			kubevirtv1.EvictionStrategyLiveMigrate, kubevirtv1.EvictionStrategyExternal}
		return unless(strategy != nil && slices.Contains(frees, *strategy), "%s", shown(strategy))
	}},
	// Harvester: virtualmachine/validator.go.
	{"terminationGracePeriodSeconds: set", func(s Subject) string {
		grace := s.VM.Spec.Template.Spec.TerminationGracePeriodSeconds
		return unless(grace != nil && *grace >= 0, "%s", shown(grace))
	}},
	{"hostname: the VM's name", func(s Subject) string {
		return unless(s.VM.Spec.Template.Spec.Hostname == s.VM.Name, "%q", s.VM.Spec.Template.Spec.Hostname)
	}},
	{
		"interfaces and networks: paired by name; VLAN networks by namespace/name, bridged, or the management network, masqueraded",
		networks},
	// Harvester: virtualmachine/mutator.go gives each interface an address of its own, since 1.7.
	{"interfaces' macAddress: Harvester's to set, each another one", func(s Subject) string {
		seen := map[string]bool{}
		for _, nic := range s.VM.Spec.Template.Spec.Domain.Devices.Interfaces {
			if nic.MacAddress != "" && (!s.Live || seen[nic.MacAddress]) {
				return fmt.Sprintf("interface %q has %s", nic.Name, nic.MacAddress)
			}
			seen[nic.MacAddress] = true
		}
		return ""
	}},
	// Harvester: pkg/upgradehelper/vmlivemigratedetector stops such VMs.
	{"nodeSelector: none, or an upgrade of Harvester stops the VM", func(s Subject) string {
		return unless(len(s.VM.Spec.Template.Spec.NodeSelector) == 0, "%v", s.VM.Spec.Template.Spec.NodeSelector)
	}},
}

func networks(s Subject) string {
	spec := s.VM.Spec.Template.Spec
	nics := spec.Domain.Devices.Interfaces
	if len(nics) == 0 || len(nics) != len(spec.Networks) {
		return fmt.Sprintf("%d interfaces, %d networks", len(nics), len(spec.Networks))
	}
	for i, net := range spec.Networks {
		// Harvester turns bridges into taps of its own (Harvester: virtualmachine/mutator.go, managedTap).
		bridged := nics[i].Bridge != nil || s.Live && nics[i].Binding != nil && nics[i].Binding.Name == "managedtap"
		vlan := bridged && net.Multus != nil && strings.Contains(net.Multus.NetworkName, "/")
		if nics[i].Name != net.Name || !vlan && (nics[i].Masquerade == nil || net.Pod == nil) {
			return fmt.Sprintf("interface %q, bridged %v, network %+v", nics[i].Name, bridged, net)
		}
	}
	return ""
}
