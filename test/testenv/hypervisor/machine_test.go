package hypervisor

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	virtv1 "kubevirt.io/api/core/v1"
)

func TestRootClaim(t *testing.T) {
	claim := func(name string) virtv1.Volume {
		source := &virtv1.PersistentVolumeClaimVolumeSource{
			PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim-" + name}}
		return virtv1.Volume{Name: name, VolumeSource: virtv1.VolumeSource{PersistentVolumeClaim: source}}
	}
	image := virtv1.Volume{Name: "image", VolumeSource: virtv1.VolumeSource{ContainerDisk: &virtv1.ContainerDiskSource{}}}
	cases := []struct {
		name  string
		disks []virtv1.Disk
		want  string
	}{
		{"no disk", nil, ""},
		{"the first", []virtv1.Disk{{Name: "a"}, {Name: "b"}}, "claim-a"},
		{"the lowest boot order",
			[]virtv1.Disk{{Name: "a", BootOrder: ptr.To(uint(2))}, {Name: "b", BootOrder: ptr.To(uint(1))}}, "claim-b"},
		{"any boot order before none", []virtv1.Disk{{Name: "a"}, {Name: "b", BootOrder: ptr.To(uint(9))}}, "claim-b"},
		{"an image has no claim", []virtv1.Disk{{Name: "image"}, {Name: "a"}}, ""},
	}
	for _, c := range cases {
		instance := &virtv1.VirtualMachineInstance{}
		instance.Spec.Domain.Devices.Disks = c.disks
		instance.Spec.Volumes = []virtv1.Volume{image, claim("b"), claim("a")}
		if got := rootClaim(instance); got != c.want {
			t.Errorf("%s: root claim %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSizeOfMachine(t *testing.T) {
	limits := func(cpu, memory string) virtv1.ResourceRequirements {
		return virtv1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu),
				corev1.ResourceMemory: resource.MustParse(memory)},
		}
	}
	cases := []struct {
		name         string
		domain       virtv1.DomainSpec
		cpus, memory int
	}{
		{"nothing said", virtv1.DomainSpec{}, 1, 64},
		{"limits", virtv1.DomainSpec{Resources: limits("4", "2Gi")}, 4, 2048},
		{"topology before limits", virtv1.DomainSpec{CPU: &virtv1.CPU{Sockets: 2, Cores: 3}, Resources: limits("4", "2Gi")},
			6, 2048},
		{
			"guest memory before limits",
			virtv1.DomainSpec{Memory: &virtv1.Memory{Guest: ptr.To(resource.MustParse("1900Mi"))},
				Resources: limits("2", "2Gi")},
			2,
			1900,
		},
	}
	for _, c := range cases {
		if got := cpus(c.domain); got != c.cpus {
			t.Errorf("%s: %d CPUs, want %d", c.name, got, c.cpus)
		}
		if got := memoryMiB(c.domain); got != c.memory {
			t.Errorf("%s: %d MiB, want %d", c.name, got, c.memory)
		}
	}
}

func TestGeneratedMACsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, uid := range []types.UID{"a", "b"} {
		for i := range 3 {
			seen[generatedMAC(uid, i)] = true
		}
	}
	if len(seen) != 6 || !seen[generatedMAC("a", 0)] {
		t.Errorf("MAC addresses %v of six interfaces", seen)
	}
}

func TestStandingFaultsAreCleared(t *testing.T) {
	f := &faults{}
	vm := types.NamespacedName{Namespace: "ns", Name: "vm"}
	clearOne := f.add(&f.boots, Named("vm"))
	clearAll := f.add(&f.boots, Every)
	clearOne()
	if !f.neverBoots(vm) || f.neverJoins(vm) {
		t.Error("clearing one fault cleared another, or set it")
	}
	clearAll()
	clearAll() // twice is once
	if f.neverBoots(vm) {
		t.Error("a cleared fault holds")
	}
}
