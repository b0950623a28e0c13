package checklist_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
)

const (
	image = "default/image-x2k7p"
	class = "lh-2d0c7f0e"
)

// subject is a member as it is rendered.
func subject(t *testing.T) checklist.Subject {
	t.Helper()
	m := blueprint.Member{
		Namespace: "nomad-clients", Name: "batch-7f3k9", PoolName: "batch", PoolUID: "6a1f7a55", NodeID: "6f1c02d4-8a55", Revision: "v1-1",
		Template: v1alpha1.NodeTemplate{
			CPU: 8, Memory: resource.MustParse("32Gi"),
			Disks: []v1alpha1.Disk{
				{Name: "root", Size: resource.MustParse("40Gi"), Image: image},
				{Name: "data", Size: resource.MustParse("100Gi"), StorageClassName: "harvester-longhorn"},
			},
			Networks: []v1alpha1.Network{{Name: "default/vlan-120"}, {Name: "default/vlan-121"}},
		},
	}
	r, err := render.Member(m, blueprint.Facts{
		Images:         map[string]blueprint.Image{image: {StorageClassName: class, VirtualSize: 10 << 30}},
		StorageClasses: map[string]blueprint.StorageClass{class: {Shareable: true}, "harvester-longhorn": {Shareable: true}},
		Networks:       map[string]blueprint.Network{"default/vlan-120": {}, "default/vlan-121": {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return checklist.Subject{
		VM: r.VM, Secret: r.Secret, PoolUID: m.PoolUID,
		Images: map[string]checklist.Image{image: {StorageClassName: class, VirtualSize: 10 << 30}},
	}
}

func wrong(s checklist.Subject) []string {
	var found []string
	for _, row := range checklist.Check(s) {
		if row.Wrong != "" {
			found = append(found, row.Demand)
		}
	}
	return found
}

func TestRenderedMemberPasses(t *testing.T) {
	if found := wrong(subject(t)); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

// Each row finds what it is there for, and only that.
func TestEachRowFindsItsMistake(t *testing.T) {
	vmi := func(s *checklist.Subject) *kubevirtv1.VirtualMachineInstanceSpec { return &s.VM.Spec.Template.Spec }
	claims := func(is, becomes string) func(*checklist.Subject) {
		return func(s *checklist.Subject) {
			const key = "harvesterhci.io/volumeClaimTemplates"
			s.VM.Annotations[key] = strings.Replace(s.VM.Annotations[key], is, becomes, 1)
		}
	}
	for demand, spoil := range map[string]func(*checklist.Subject){
		"metadata.ownerReferences": func(s *checklist.Subject) { s.VM.OwnerReferences = []metav1.OwnerReference{{Kind: "NomadNode"}} },
		"metadata.name": func(s *checklist.Subject) {
			name := strings.Repeat("a", 64)
			s.VM.Name, s.VM.Annotations[v1alpha1.MemberAnnotation], vmi(s).Hostname = name, name, name
			s.VM.Spec.Template.ObjectMeta.Labels["harvesterhci.io/vmName"] = name
		},
		"metadata.namespace": func(s *checklist.Subject) { s.VM.Namespace, s.Secret.Namespace = "nomad-system", "nomad-system" },
		"label harvesterhci.io/creator": func(s *checklist.Subject) {
			s.VM.Labels["harvesterhci.io/creator"] = "docker-machine-driver-harvester"
		},
		"label harvesterhci.io/os":                 func(s *checklist.Subject) { s.VM.Labels["harvesterhci.io/os"] = "Ubuntu" },
		"annotation harvesterhci.io/vmRunStrategy": func(s *checklist.Subject) { delete(s.VM.Annotations, "harvesterhci.io/vmRunStrategy") },
		"label harvesterhci.io/vmName":             func(s *checklist.Subject) { delete(s.VM.Spec.Template.ObjectMeta.Labels, "harvesterhci.io/vmName") },
		"our labels are on the template":           func(s *checklist.Subject) { delete(s.VM.Spec.Template.ObjectMeta.Labels, v1alpha1.PoolLabel) },
		"annotation harvesterhci.io/sshNames": func(s *checklist.Subject) {
			s.VM.Spec.Template.ObjectMeta.Annotations["harvesterhci.io/sshNames"] = "null"
		},
		"annotations member and pool-uid":    func(s *checklist.Subject) { s.PoolUID = "another" },
		"metadata.finalizers":                func(s *checklist.Subject) { s.VM.Finalizers = []string{v1alpha1.NodeFinalizer} },
		"annotation harvesterhci.io/removed": func(s *checklist.Subject) { s.VM.Annotations["harvesterhci.io/removedPersistentVolumeClaims"] = "a" },
		"annotation field.cattle.io/description": func(s *checklist.Subject) {
			s.VM.Annotations["field.cattle.io/description"] = "To remove it: kubectl delete nomadnode " + s.VM.Name
		},
		"its NomadNode's conditions": func(s *checklist.Subject) {
			s.Conditions = []metav1.Condition{{Type: "Drained", Status: metav1.ConditionFalse}}
		},
		"annotation harvesterhci.io/volumeClaim":     claims(`"name":"batch-7f3k9-data`, `"name":"other`),
		"claims' annotation harvesterhci.io/imageId": claims(`"harvesterhci.io/imageId":"default/image-x2k7p",`, ""),
		"claims' storage class":                      claims(class, "longhorn-image-x2k7p"),
		"claims' access":                             claims("ReadWriteMany", "ReadWriteOnce"),
		"claims' size":                               claims("40Gi", "9Gi"),
		"disks and volumes":                          func(s *checklist.Subject) { vmi(s).Domain.Devices.Disks[1].BootOrder = nil },
		"volume cloudinitdisk":                       func(s *checklist.Subject) { vmi(s).Volumes[2].CloudInitNoCloud.UserData = "#cloud-config" },
		"its Secret":                                 func(s *checklist.Subject) { s.Secret = nil },
		"spec.dataVolumeTemplates": func(s *checklist.Subject) {
			s.VM.Spec.DataVolumeTemplates = []kubevirtv1.DataVolumeTemplateSpec{{}}
		},
		"spec.runStrategy":              func(s *checklist.Subject) { s.VM.Spec.Running = ptr.To(true) },
		"cpu":                           func(s *checklist.Subject) { vmi(s).Domain.CPU.Sockets = 2 },
		"resources.limits":              func(s *checklist.Subject) { delete(vmi(s).Domain.Resources.Limits, corev1.ResourceMemory) },
		"requests":                      func(s *checklist.Subject) { vmi(s).Domain.CPU.MaxSockets = 1 },
		"features.acpi":                 func(s *checklist.Subject) { vmi(s).Domain.Features = nil },
		"devices.inputs":                func(s *checklist.Subject) { vmi(s).Domain.Devices.Inputs = nil },
		"evictionStrategy":              func(s *checklist.Subject) { vmi(s).EvictionStrategy = nil },
		"terminationGracePeriodSeconds": func(s *checklist.Subject) { vmi(s).TerminationGracePeriodSeconds = ptr.To[int64](-1) },
		"hostname":                      func(s *checklist.Subject) { vmi(s).Hostname = "other" },
		"interfaces and networks":       func(s *checklist.Subject) { vmi(s).Networks[1].Multus.NetworkName = "vlan-121" },
		"interfaces' macAddress":        func(s *checklist.Subject) { vmi(s).Domain.Devices.Interfaces[0].MacAddress = "02:00:00:00:00:01" },
		"nodeSelector":                  func(s *checklist.Subject) { vmi(s).NodeSelector = map[string]string{"a": "b"} },
	} {
		t.Run(demand, func(t *testing.T) {
			s := subject(t)
			spoil(&s)
			if found := wrong(s); len(found) != 1 || !strings.HasPrefix(found[0], demand) {
				t.Errorf("%q", found)
			}
		})
	}
}

// The UI hides namespaces by their name, and by what others have marked them with.
func TestHiddenNamespaces(t *testing.T) {
	for name, want := range map[string]bool{
		"nomad-clients": false, "rancher-jobs": false, "kubernetes": false, "pools": false, "nomad-system": true, "c-m-abc": true, "p-x7": true, "user-1": true,
		"local": true, "fleet-default": true, "kube-public": true, "cert-manager": true,
	} {
		s := subject(t)
		s.VM.Namespace, s.Secret.Namespace = name, name
		if found := wrong(s); (len(found) == 1) != want {
			t.Errorf("%s: %q", name, found)
		}
	}
	for _, n := range []*corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"management.cattle.io/system-namespace": "true"}}},
		{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"fleet.cattle.io/managed": "true"}}},
	} {
		s := subject(t)
		s.Namespace = n
		if found := wrong(s); len(found) != 1 {
			t.Errorf("%+v: %q", n.ObjectMeta, found)
		}
	}
}

// Of one demand there may be several ways to miss it.
func TestRowsFindMore(t *testing.T) {
	vmi := func(s *checklist.Subject) *kubevirtv1.VirtualMachineInstanceSpec { return &s.VM.Spec.Template.Spec }
	for name, c := range map[string]struct {
		demand string
		spoil  func(*checklist.Subject)
	}{
		"no bus":              {"disks and volumes", func(s *checklist.Subject) { vmi(s).Domain.Devices.Disks[0].Disk.Bus = "" }},
		"an unknown eviction": {"evictionStrategy", func(s *checklist.Subject) { vmi(s).EvictionStrategy = ptr.To(kubevirtv1.EvictionStrategy("Sometimes")) }},
		"one claim twice": {"annotation harvesterhci.io/volumeClaim", func(s *checklist.Subject) {
			const key = "harvesterhci.io/volumeClaimTemplates"
			s.VM.Annotations[key] = strings.Replace(s.VM.Annotations[key], "batch-7f3k9-data", "batch-7f3k9-root", 1)
			vmi(s).Volumes[1].PersistentVolumeClaim.ClaimName = vmi(s).Volumes[0].PersistentVolumeClaim.ClaimName
		}},
	} {
		s := subject(t)
		c.spoil(&s)
		if found := wrong(s); len(found) != 1 || !strings.HasPrefix(found[0], c.demand) {
			t.Errorf("%s: %q", name, found)
		}
	}
	s := subject(t)
	s.VM.CreationTimestamp, s.Secret.CreationTimestamp = metav1.Unix(1, 0), metav1.Unix(2, 0)
	s.Live = true
	if found := strings.Join(wrong(s), "\n"); !strings.Contains(found, "its Secret") {
		t.Errorf("a Secret made after the VM: %q", found)
	}
}

// A member may be told to have the management network, and then has it in Harvester's own way.
func TestManagementNetworkPasses(t *testing.T) {
	s := subject(t)
	vmi := &s.VM.Spec.Template.Spec
	vmi.Networks[0].NetworkSource = kubevirtv1.NetworkSource{Pod: &kubevirtv1.PodNetwork{}}
	if found := wrong(s); len(found) != 1 {
		t.Errorf("bridged: %q", found)
	}
	vmi.Domain.Devices.Interfaces[0].InterfaceBindingMethod = kubevirtv1.InterfaceBindingMethod{
		Masquerade: &kubevirtv1.InterfaceMasquerade{}}
	if found := wrong(s); len(found) > 0 {
		t.Errorf("masqueraded: %q", found)
	}
}

// What waits for a person may be shown as an error.
func TestErrorsThatSomebodyHasToMend(t *testing.T) {
	for name, conditions := range map[string][]metav1.Condition{
		"works":   {{Type: "Ready", Status: metav1.ConditionTrue}, {Type: "DrainCompleted", Status: metav1.ConditionFalse}},
		"stalled": {{Type: "Ready", Status: metav1.ConditionFalse}, {Type: "Stalled", Status: metav1.ConditionTrue}},
		"unknown": {{Type: "Ready", Status: metav1.ConditionUnknown}},
	} {
		s := subject(t)
		if s.Conditions = conditions; len(wrong(s)) > 0 {
			t.Errorf("%s: %q", name, wrong(s))
		}
	}
}

// Two mistakes touch what other rows build on.
func TestMistakesThatSeveralRowsFind(t *testing.T) {
	for demand, spoil := range map[string]func(*checklist.Subject){
		"metadata.annotations": func(s *checklist.Subject) { s.VM.Annotations = nil },
		"volumes[0]": func(s *checklist.Subject) {
			v := s.VM.Spec.Template.Spec.Volumes
			v[0], v[1] = v[1], v[0]
		},
	} {
		s := subject(t)
		spoil(&s)
		if !strings.Contains(strings.Join(wrong(s), "\n"), demand) {
			t.Errorf("%s isn't among %q", demand, wrong(s))
		}
	}
	if found := wrong(checklist.Subject{}); len(found) != len(checklist.Check(checklist.Subject{})) {
		t.Errorf("without a VM only %d rows are wrong", len(found))
	}
}

// What admission adds is right on a VM that has gone through it, and what it must add is missed.
func TestLiveMember(t *testing.T) {
	s := subject(t)
	s.Live = true
	if found := wrong(s); len(found) != 1 || !strings.HasPrefix(found[0], "requests") {
		t.Errorf("before admission: %q", found)
	}
	vmi := &s.VM.Spec.Template.Spec
	vmi.Domain.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}
	vmi.Domain.Memory = &kubevirtv1.Memory{Guest: ptr.To(resource.MustParse("31Gi"))}
	vmi.Domain.CPU.MaxSockets = 1
	vmi.Domain.Devices.Interfaces[0].MacAddress = "02:00:00:00:00:01"
	vmi.Domain.Devices.Interfaces[1].InterfaceBindingMethod = kubevirtv1.InterfaceBindingMethod{}
	vmi.Domain.Devices.Interfaces[1].Binding = &kubevirtv1.PluginBinding{Name: "managedtap"}
	vmi.Domain.Devices.Interfaces[1].MacAddress = "02:00:00:00:00:02"
	if found := wrong(s); len(found) > 0 {
		t.Errorf("after admission: %q", found)
	}
	vmi.Domain.Devices.Interfaces[1].MacAddress = "02:00:00:00:00:01"
	if found := wrong(s); len(found) != 1 {
		t.Errorf("one address twice: %q", found)
	}
}
