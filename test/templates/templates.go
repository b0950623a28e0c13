// Package templates holds pool templates that must work: what is rendered of them is judged by cloud-init and by the
// list of what Harvester wants, and in the environment by Harvester's and KubeVirt's own admission and controllers.
package templates

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// firmwares are what a VM may boot with, as Harvester's UI writes it.
var firmwares = []struct{ name, overlay string }{
	{"bios", `{}`},
	{"uefi", `{"template":{"spec":{"domain":{"firmware":{"bootloader":{"efi":{"secureBoot":false}}}}}}}`},
	{
		"secure-boot",
		`{"template":{"spec":{"domain":{"firmware":{"bootloader":{"efi":{"secureBoot":true}}},"features":{"smm":{"enabled":true}},"devices":{"tpm":{}}}}}}`,
	},
}

// All are the templates by name: each combination of disks, networks, firmware, keys and
// cloud-init, and then the nasty ones.
func All() map[string]v1alpha1.NodeTemplate {
	all := map[string]v1alpha1.NodeTemplate{}
	n := 0
	for _, disks := range []int{1, 3} {
		for _, networks := range []int{1, 2} {
			for _, firmware := range firmwares {
				for _, keys := range []bool{false, true} {
					for _, userData := range []string{"", "#cloud-config\npackages: [jq]\n"} {
						n++
						t := Plain()
						t.OS = v1alpha1.OperatingSystems[n%len(v1alpha1.OperatingSystems)]
						for i := 1; i < disks; i++ {
							t.Disks = append(
								t.Disks,
								v1alpha1.Disk{Name: fmt.Sprintf("data-%d", i), Size: resource.MustParse("100Gi"),
									StorageClassName: fixtures.StorageClass},
							)
						}
						if networks > 1 {
							t.Networks = append(t.Networks, v1alpha1.Network{Name: fixtures.StorageNetwork})
						}
						if keys {
							t.SSHKeys = []string{fixtures.KeyPair}
						}
						t.CloudInit = v1alpha1.CloudInit{UserData: userData, GuestAgent: keys}
						t.VirtualMachine = &runtime.RawExtension{Raw: []byte(firmware.overlay)}
						all[fmt.Sprintf("m-%s-%d-%d-%d", firmware.name, disks, networks, n)] = t
					}
				}
			}
		}
	}
	for name, change := range nasty {
		t := Plain()
		change(&t)
		all["n-"+name] = t
	}
	return all
}

// Plain has what a template must have, and no more.
func Plain() v1alpha1.NodeTemplate {
	return v1alpha1.NodeTemplate{
		CPU: 2, Memory: resource.MustParse("2Gi"),
		Disks:    []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: fixtures.Image}},
		Networks: []v1alpha1.Network{{Name: fixtures.Network}},
	}
}

// Overlaying sets the template's overlay.
func Overlaying(doc string) func(*v1alpha1.NodeTemplate) {
	return func(t *v1alpha1.NodeTemplate) { t.VirtualMachine = &runtime.RawExtension{Raw: []byte(doc)} }
}

// InInstance sets an overlay of the VM's instance.
func InInstance(doc string) func(*v1alpha1.NodeTemplate) {
	return Overlaying(`{"template":{"spec":` + doc + `}}`)
}

// InDevices sets an overlay of the instance's devices.
func InDevices(doc string) func(*v1alpha1.NodeTemplate) {
	return InInstance(`{"domain":{"devices":` + doc + `}}`)
}

// nasty are templates at the edge of what is allowed.
var nasty = map[string]func(*v1alpha1.NodeTemplate){
	"tiny":     func(t *v1alpha1.NodeTemplate) { t.CPU, t.Memory = 1, resource.MustParse("128Mi") },
	"huge":     func(t *v1alpha1.NodeTemplate) { t.CPU, t.Memory = 256, resource.MustParse("4Ti") },
	"odd-size": func(t *v1alpha1.NodeTemplate) { t.Memory = resource.MustParse("3.7Gi") },
	"decimal": func(t *v1alpha1.NodeTemplate) {
		t.Memory, t.Disks[0].Size = resource.MustParse("2G"), resource.MustParse("20G")
	},
	"full": func(t *v1alpha1.NodeTemplate) {
		for i := len(t.Disks); i < 12; i++ {
			t.Disks = append(
				t.Disks,
				v1alpha1.Disk{Name: fmt.Sprintf("data-disk-%d", i), Size: resource.MustParse("1Gi"),
					StorageClassName: fixtures.StorageClass},
			)
		}
		for i := len(t.Networks); i < 8; i++ {
			t.Networks = append(t.Networks, v1alpha1.Network{Name: []string{fixtures.Network, fixtures.StorageNetwork}[i%2]})
		}
	},
	"two-images": func(t *v1alpha1.NodeTemplate) {
		t.Disks = append(t.Disks, v1alpha1.Disk{Name: "b", Size: resource.MustParse("10Gi"), Image: fixtures.Image})
	},
	"unicode": func(t *v1alpha1.NodeTemplate) {
		t.Description = "Baufarm für „alles“ \n\t\\ ${HOME} 🚜 " + strings.Repeat("x", 900)
	},
	"user-data": func(t *v1alpha1.NodeTemplate) {
		t.CloudInit.UserData = "#cloud-config\nwrite_files:\n- path: /big\n  content: '" + strings.Repeat("a: {b} %20 ",
			5000) + "'\n"
	},
	"labels": func(t *v1alpha1.NodeTemplate) {
		t.Labels = map[string]string{"harvesterhci.io/maintain-mode-strategy": "ShutdownAndRestartAfterEnable",
			"tag.harvesterhci.io/team": "ci", "team": "a.b_c"}
		t.Annotations = map[string]string{"harvesterhci.io/reservedMemory": "256Mi", "example.com/json": `{"a":["b"]}`}
	},
	"management": func(t *v1alpha1.NodeTemplate) {
		t.Networks = []v1alpha1.Network{{Type: v1alpha1.NetworkManagement}, {Name: fixtures.Network}}
	},
	"yaml-1-1": func(t *v1alpha1.NodeTemplate) {
		t.CloudInit.UserData = "#cloud-config\nsalt_minion: {conf: {a: y, b: 0899, c: 1e3, d: !!binary aGVsbG8=}}\n" +
			"write_files:\n- {path: /y, content: &c '0899', permissions: '0644'}\n- {path: /z, content: *c}\n"
	},
	"network-data": func(t *v1alpha1.NodeTemplate) {
		t.CloudInit.NetworkData = "version: 1\nconfig:\n- {type: physical, name: enp1s0, subnets: [{type: dhcp}]}\n"
	},
	"cd-rom": InDevices(`{"disks":[{"name":"cd","cdrom":{"bus":"sata"}}]}`),
	"drivers": Overlaying(
		`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"drivers","cdrom":{"bus":"sata"}}]}},"volumes":[{"name":"drivers","containerDisk":{"image":"registry.example/drivers:1"}}]}}}`,
	),
	"scratch": Overlaying(
		`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"scratch","disk":{"bus":"virtio"}}]}},"volumes":[{"name":"scratch","emptyDisk":{"capacity":"1Gi"}}]}}}`,
	),
	"bus": InDevices(`{"disks":[{"name":"root","disk":{"bus":"sata"},"cache":"writethrough","serial":"ROOT"}]}`),
	"nic": InDevices(`{"interfaces":[{"name":"nic-0","model":"e1000"}]}`),
	"third-network": Overlaying(
		`{"template":{"spec":{"domain":{"devices":{"interfaces":[{"name":"extra","bridge":{}}]}},` +
			`"networks":[{"name":"extra","multus":{"networkName":"` + fixtures.StorageNetwork + `"}}]}}}`,
	),
	"cpu-model": InInstance(`{"domain":{"cpu":{"model":"host-passthrough"}}}`),
	"dedicated": InInstance(`{"domain":{"cpu":{"dedicatedCpuPlacement":true}}}`),
	"affinity": InInstance(
		`{"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":{"matchExpressions":[{"key":"zone","operator":"In","values":["a","b"]}]}}]}},"tolerations":[{"key":"x","operator":"Exists"}]}`,
	),
	"no-affinity": InInstance(`{"affinity":null}`),
	"no-grace":    InInstance(`{"terminationGracePeriodSeconds":0,"evictionStrategy":"External"}`),
	"watchdog": InDevices(
		`{"watchdog":{"name":"dog","i6300esb":{"action":"reset"}},"rng":{},"autoattachMemBalloon":false}`,
	),
	"clock": InInstance(
		`{"domain":{"clock":{"timezone":"Europe/Berlin","timer":{"hpet":{"present":false}}}},"dnsPolicy":"None","dnsConfig":{"nameservers":["10.0.0.1"]}}`,
	),
	"scheduler": InInstance(`{"schedulerName":"default-scheduler"}`),
}
