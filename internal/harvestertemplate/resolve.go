package harvestertemplate

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/jsonmerge"
	"github.com/nomad-harvester/nomad-harvester/internal/vm"
)

// hotplugAnnotation: the limits are what a VM may grow to, not what it has (Harvester UI: cpu and memory
// hotplug).
const hotplugAnnotation = "harvesterhci.io/enableCPUAndMemoryHotplug"

// maxCPU is NodeTemplate.CPU's.
const maxCPU = 256

// Resolve lays a pool's template over the version of a Harvester template that it names. The result is complete and
// names that version. NomadNodes hold a copy of it, and Revision is its hash. What belongs to one VM alone (MAC
// addresses, firmware IDs, claim names, and so on) isn't taken over. The problems are what is missing, or what a member
// can't have; if there are any, the result isn't complete.
func Resolve(t *v1alpha1.NodeTemplate, v *Version) (*v1alpha1.NodeTemplate, []condition.Problem) {
	source := v.Source()
	r := &resolver{version: v, pool: t, out: t.DeepCopy()}
	r.out.From = &source
	spec, err := v.Typed()
	if err != nil {
		r.report("%v; name another", err)
		return r.out, r.problems
	}
	r.spec = spec
	r.cpu()
	r.memory()
	r.metadata()
	r.disks()
	r.networks()
	if len(t.SSHKeys) == 0 {
		r.out.SSHKeys = slices.Clone(v.KeyPairs)
	}
	r.limits()
	if len(r.problems) == 0 {
		r.rest()
	}
	return r.out, r.problems
}

type resolver struct {
	version   *Version
	spec      *kubevirtv1.VirtualMachineSpec
	pool, out *v1alpha1.NodeTemplate
	// claims are the templates of the version's claims by their names; nil: they can't be read.
	claims map[string]corev1.PersistentVolumeClaim
	// diskNames are the names that the disks of the version get; empty: the template has disks of its own.
	diskNames map[string]string
	// nicNames are the names that the interfaces of the version get; empty: the template has networks of its own.
	nicNames map[string]string
	problems []condition.Problem
}

// report adds a problem with the version.
func (r *resolver) report(format string, args ...any) {
	r.problems = append(
		r.problems,
		condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid,
			Message: Field(r.version.Source()) + ": " + fmt.Sprintf(format, args...)},
	)
}

func (r *resolver) cpu() {
	if r.out.CPU != 0 {
		return
	}
	domain := r.spec.Template.Spec.Domain
	n := domain.Resources.Limits.Cpu().Value()
	if cpu := domain.CPU; cpu != nil {
		n = int64(max(cpu.Cores, 1)) * int64(max(cpu.Sockets, 1)) * int64(max(cpu.Threads, 1))
	}
	if n < 1 || n > maxCPU {
		r.report("it has %d CPUs; set spec.template.cpu to a number from 1 to %d", n, maxCPU)
		return
	}
	r.out.CPU = int32(n)
}

func (r *resolver) memory() {
	if !r.out.Memory.IsZero() {
		return
	}
	domain := r.spec.Template.Spec.Domain
	size := domain.Resources.Limits.Memory()
	if m := domain.Memory; m != nil && m.Guest != nil && r.version.Annotations[hotplugAnnotation] == "true" {
		size = m.Guest
	}
	if size.IsZero() {
		r.report("it has no memory limit; set spec.template.memory")
		return
	}
	r.out.Memory = size.DeepCopy()
}

func (r *resolver) metadata() {
	v := r.version
	if os := v.Labels[vm.OSLabel]; r.out.OS == "" && slices.Contains(v1alpha1.OperatingSystems, os) {
		r.out.OS = os
	}
	if r.out.Description == "" {
		r.out.Description = v.Annotations[vm.DescriptionAnnotation]
	}
	r.out.Labels = mergedUnder(r.out.Labels, v.Labels, chosenLabel)
	r.out.Annotations = mergedUnder(r.out.Annotations, v.Annotations, chosenAnnotation)
}

// platformKey matches the keys that Harvester, KubeVirt, Rancher and kubectl write: they describe the VM that a
// template was made from. Kubernetes' own, such as app.kubernetes.io/part-of, are people's.
var platformKey = regexp.MustCompile(`(^|\.)(harvesterhci\.io|kubevirt\.io|cattle\.io)/|^kubectl\.kubernetes\.io/`)

// chosenLabel and chosenAnnotation match those platform keys that a user chooses in Harvester's UI and that the API
// lets pools set.
var (
	chosenLabel      = regexp.MustCompile(`^(harvesterhci\.io/maintain-mode-strategy|tag\.harvesterhci\.io/.*)$`)
	chosenAnnotation = regexp.MustCompile(`^harvesterhci\.io/reservedMemory$`)
)

// mergedUnder is the labels or annotations of a version, overridden by those of the pool's template.
func mergedUnder(pool, version map[string]string, chosen *regexp.Regexp) map[string]string {
	all := maps.Clone(version)
	maps.DeleteFunc(all, func(key, _ string) bool { return platformKey.MatchString(key) && !chosen.MatchString(key) })
	if len(all) == 0 {
		return pool
	}
	maps.Copy(all, pool)
	return all
}

// networks takes over the VLAN networks, in the version's order.
func (r *resolver) networks() {
	if len(r.pool.Networks) > 0 {
		return
	}
	r.nicNames = map[string]string{}
	interfaces := map[string]kubevirtv1.Interface{}
	for _, nic := range r.spec.Template.Spec.Domain.Devices.Interfaces {
		interfaces[nic.Name] = nic
	}
	for i, network := range r.spec.Template.Spec.Networks {
		nic, ok := interfaces[network.Name]
		switch {
		case !ok:
			r.report("its network %q has no interface; correct it in a new version or set spec.template.networks", network.Name)
		case network.Multus == nil || !bridged(nic):
			r.report(
				"its network %q is not a VLAN network with an interface of type bridge, and no Nomad server could reach the guest; change it in a new version or set spec.template.networks, to type: Management if that will do",
				network.Name,
			)
		case !strings.Contains(network.Multus.NetworkName, "/"):
			r.report("its network %q names %q without a namespace; correct it in a new version or set spec.template.networks",
				network.Name, network.Multus.NetworkName)
		default:
			r.nicNames[network.Name] = vm.NICName(i)
			r.out.Networks = append(r.out.Networks, v1alpha1.Network{Name: network.Multus.NetworkName})
		}
	}
	if len(r.spec.Template.Spec.Networks) == 0 {
		r.report("it has no network; add one in a new version or set spec.template.networks")
	}
}

// bridged reports if an interface is a bridge. Harvester turns bridges into taps of its own, which count as well
// (Harvester: virtualmachine/mutator.go, managedTap).
func bridged(nic kubevirtv1.Interface) bool {
	return nic.Bridge != nil || nic.Binding != nil && nic.Binding.Name == "managedtap"
}

// rest puts everything else of the version's VM under the pool's overlay. A field that an overlay may not change is a
// problem, unless the pool's overlay resets it.
func (r *resolver) rest() {
	version := r.remainder()
	overlay, err := vm.DecodeOverlay(r.pool.VirtualMachine)
	if err != nil {
		return // Pre-flight reports it.
	}
	stacked := jsonmerge.Stack(version, overlay)
	if len(stacked) == 0 {
		return
	}
	doc, err := json.Marshal(stacked)
	if err != nil {
		r.report("its spec.vm.spec: %v", err)
		return
	}
	r.out.VirtualMachine = &runtime.RawExtension{Raw: doc}
	poolErrors := map[string]bool{}
	alone := r.out.DeepCopy()
	alone.VirtualMachine = r.pool.VirtualMachine
	for _, err := range vm.OverlayErrors(alone) {
		poolErrors[err.Error()] = true
	}
	for _, err := range vm.OverlayErrors(r.out) {
		if text := err.Error(); !poolErrors[text] {
			r.report("its VM: %s", strings.ReplaceAll(text, vm.OverlayPath, "spec.vm.spec"))
		}
	}
}
