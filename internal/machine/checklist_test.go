package machine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// row is a demand that Harvester, its UI or KubeVirt makes on a VM. check returns what is wrong; empty: nothing.
type row struct {
	name  string
	check func(m Member, r *Rendered) string
}

func TestRenderedMemberIsWhatHarvesterWants(t *testing.T) {
	rows := slices.Concat(metadataRows, diskRows, specRows)
	for name, m := range matrix() {
		t.Run(name, func(t *testing.T) {
			r := mustRender(t, m, testFacts())
			for _, row := range rows {
				if wrong := row.check(m, r); wrong != "" {
					t.Errorf("%s: %s", row.name, wrong)
				}
			}
		})
	}
}

// matrix is a member for each combination of the things that a template may have or not.
func matrix() map[string]Member {
	all := map[string]Member{}
	for bits := range 1 << 6 {
		on := func(i int) bool { return bits&(1<<i) != 0 }
		m := testMember()
		t := &m.Template
		if on(0) {
			t.Disks = t.Disks[:1]
		}
		if on(1) {
			t.Networks = append(t.Networks, v1alpha1.Network{Name: "nomad-clients/storage"})
		}
		if on(2) {
			t.SSHKeys, t.OS = nil, ""
		}
		if on(3) {
			t.CloudInit = v1alpha1.CloudInit{UserData: "#cloud-config\npackages: [jq]\n", GuestAgent: true}
			t.Disks = append(t.Disks, v1alpha1.Disk{Name: "scratch", Size: resource.MustParse("1Ti"), StorageClassName: "local-lvm"})
		}
		if on(4) {
			t.Labels = map[string]string{"team": "data", v1alpha1.PoolLabel: "other"}
			t.Annotations = map[string]string{"note": "x", v1alpha1.MemberAnnotation: "other"}
			m.IntroductionToken = "eyJ.abc.def"
		}
		if on(5) {
			t.VirtualMachine = overlay(`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"root","cache":"none"}]}},"tolerations":[{"key":"x"}]}}}`)
		}
		all[fmt.Sprintf("%06b", bits)] = m
	}
	return all
}

func unless(ok bool, format string, args ...any) string {
	if ok {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

var metadataRows = []row{
	{"1 no owner", func(_ Member, r *Rendered) string { return unless(len(r.VM.OwnerReferences) == 0, "owned") }},
	{"2 annotations", func(_ Member, r *Rendered) string { return unless(len(r.VM.Annotations) > 0, "none") }},
	{"3 name", func(m Member, r *Rendered) string {
		return unless(r.VM.Name == m.Name && len(validation.IsDNS1123Label(r.VM.Name)) == 0, "%q", r.VM.Name)
	}},
	{"4 namespace", func(m Member, r *Rendered) string {
		return unless(r.VM.Namespace == m.Namespace && r.Secret.Namespace == m.Namespace, "%q, %q", r.VM.Namespace, r.Secret.Namespace)
	}},
	{"5 creator", func(_ Member, r *Rendered) string {
		return unless(r.VM.Labels["harvesterhci.io/creator"] == "nomad-harvester", "%v", r.VM.Labels)
	}},
	{"6 os", func(m Member, r *Rendered) string {
		want := m.Template.OS
		if want == "" {
			want = "linux"
		}
		return unless(r.VM.Labels["harvesterhci.io/os"] == want, "%v", r.VM.Labels)
	}},
	{"17 run strategy to start again with", func(_ Member, r *Rendered) string {
		return unless(r.VM.Annotations["harvesterhci.io/vmRunStrategy"] == string(*r.VM.Spec.RunStrategy), "%v", r.VM.Annotations)
	}},
	{"26 template labels", func(m Member, r *Rendered) string {
		labels := r.VM.Spec.Template.ObjectMeta.Labels
		return unless(labels["harvesterhci.io/vmName"] == m.Name && labels["harvesterhci.io/vmNamePrefix"] == m.PoolName, "%v", labels)
	}},
	{"27 labels on VM and template", func(m Member, r *Rendered) string {
		for key, value := range r.VM.Labels {
			if key != osLabel && r.VM.Spec.Template.ObjectMeta.Labels[key] != value {
				return fmt.Sprintf("%s=%s is not on the template", key, value)
			}
		}
		return unless(r.VM.Labels[v1alpha1.PoolLabel] == m.PoolName && r.VM.Labels[v1alpha1.RevisionLabel] == m.Revision, "%v", r.VM.Labels)
	}},
	{"28 ssh names", func(m Member, r *Rendered) string {
		var names []string
		doc := r.VM.Spec.Template.ObjectMeta.Annotations["harvesterhci.io/sshNames"]
		err := json.Unmarshal([]byte(doc), &names)
		return unless(err == nil && strings.HasPrefix(doc, "[") && slices.Equal(names, m.Template.SSHKeys), "%q", doc)
	}},
	{"33 membership", func(m Member, r *Rendered) string {
		return unless(IsMember(r.VM, m.PoolName, m.PoolUID), "%v %v", r.VM.Labels, r.VM.Annotations)
	}},
	{"34 no finalizer", func(_ Member, r *Rendered) string { return unless(len(r.VM.Finalizers) == 0, "%v", r.VM.Finalizers) }},
	{"no disks marked for removal beforehand", func(_ Member, r *Rendered) string {
		_, set := r.VM.Annotations["harvesterhci.io/removedPersistentVolumeClaims"]
		return unless(!set, "set")
	}},
}

// claimsOf reads the annotation as Harvester does.
func claimsOf(r *Rendered) []corev1.PersistentVolumeClaim {
	var claims []corev1.PersistentVolumeClaim
	if err := json.Unmarshal([]byte(r.VM.Annotations[claimTemplatesAnnotation]), &claims); err != nil {
		return nil
	}
	return claims
}

// eachClaim checks all claims against the disks of the template.
func eachClaim(check func(m Member, d v1alpha1.Disk, c corev1.PersistentVolumeClaim) string) func(Member, *Rendered) string {
	return func(m Member, r *Rendered) string {
		claims := claimsOf(r)
		if len(claims) != len(m.Template.Disks) {
			return fmt.Sprintf("%d claims for %d disks", len(claims), len(m.Template.Disks))
		}
		for i, d := range m.Template.Disks {
			if wrong := check(m, d, claims[i]); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

var diskRows = []row{
	{"7 claim names", func(m Member, r *Rendered) string {
		var inAnnotation, inVolumes []string
		for _, c := range claimsOf(r) {
			inAnnotation = append(inAnnotation, c.Name)
		}
		for _, v := range r.VM.Spec.Template.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				inVolumes = append(inVolumes, v.PersistentVolumeClaim.ClaimName)
			}
		}
		same := slices.Equal(inAnnotation, inVolumes) && slices.Equal(inVolumes, r.Claims) && slices.Equal(r.Claims, ClaimNames(m))
		return unless(same && !slices.Contains(r.Claims, ""), "%v, %v, %v", inAnnotation, inVolumes, r.Claims)
	}},
	{"8 image", eachClaim(func(_ Member, d v1alpha1.Disk, c corev1.PersistentVolumeClaim) string {
		image, set := c.Annotations["harvesterhci.io/imageId"]
		return unless(set == (d.Image != "") && image == d.Image, "%q for %q", image, d.Image)
	})},
	{"9 storage class", eachClaim(func(_ Member, d v1alpha1.Disk, c corev1.PersistentVolumeClaim) string {
		want := d.StorageClassName
		if d.Image != "" {
			want = testClass
		}
		return unless(c.Spec.StorageClassName != nil && *c.Spec.StorageClassName == want && want != "", "%v", c.Spec.StorageClassName)
	})},
	{"10 access", eachClaim(func(_ Member, d v1alpha1.Disk, c corev1.PersistentVolumeClaim) string {
		want := corev1.ReadWriteMany
		if d.StorageClassName == "local-lvm" {
			want = corev1.ReadWriteOnce
		}
		return unless(slices.Equal(c.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{want}) && *c.Spec.VolumeMode == corev1.PersistentVolumeBlock, "%+v", c.Spec)
	})},
	{"11 size", eachClaim(func(_ Member, d v1alpha1.Disk, c corev1.PersistentVolumeClaim) string {
		return unless(c.Spec.Resources.Requests.Storage().Cmp(d.Size) == 0, "%v", c.Spec.Resources)
	})},
	{"claims say whose they are", eachClaim(func(m Member, _ v1alpha1.Disk, c corev1.PersistentVolumeClaim) string {
		ok := c.Labels[v1alpha1.PoolLabel] == m.PoolName && c.Labels[v1alpha1.NodeLabel] == m.Name && c.Annotations[v1alpha1.PoolUIDAnnotation] == m.PoolUID
		return unless(ok, "%v %v", c.Labels, c.Annotations)
	})},
	{"12, 13 disks and volumes", func(m Member, r *Rendered) string {
		spec := r.VM.Spec.Template.Spec
		for i, d := range spec.Domain.Devices.Disks {
			if d.Name != spec.Volumes[i].Name || d.Disk == nil || d.Disk.Bus != kubevirtv1.DiskBusVirtio {
				return fmt.Sprintf("disk %d: %+v", i, d)
			}
			if i < len(m.Template.Disks) && (d.Name != m.Template.Disks[i].Name || d.BootOrder == nil || *d.BootOrder != uint(i+1)) {
				return fmt.Sprintf("disk %d: %+v", i, d)
			}
		}
		return unless(len(spec.Domain.Devices.Disks) == len(spec.Volumes), "%d disks, %d volumes", len(spec.Domain.Devices.Disks), len(spec.Volumes))
	}},
	{"14 cloud-init volume", func(_ Member, r *Rendered) string {
		volumes := r.VM.Spec.Template.Spec.Volumes
		at := slices.IndexFunc(volumes, func(v kubevirtv1.Volume) bool { return v.Name == "cloudinitdisk" })
		if at < 0 || volumes[at].CloudInitNoCloud == nil {
			return fmt.Sprintf("%+v", volumes)
		}
		source := volumes[at].CloudInitNoCloud
		if source.UserDataSecretRef == nil || source.NetworkDataSecretRef == nil {
			return fmt.Sprintf("%+v", source)
		}
		inline := source.UserData + source.UserDataBase64 + source.NetworkData + source.NetworkDataBase64
		return unless(source.UserDataSecretRef.Name == r.Secret.Name && source.NetworkDataSecretRef.Name == r.Secret.Name && inline == "", "%+v", source)
	}},
	{"15 Secret", func(m Member, r *Rendered) string {
		s := r.Secret
		ok := s.Labels["harvesterhci.io/cloud-init-template"] == "harvester" && s.Name == SecretName(m) && s.Type == corev1.SecretTypeOpaque &&
			strings.HasPrefix(string(s.Data["userdata"]), "#cloud-config\n") && len(s.Data["networkdata"]) > 0 && len(s.Data) == 2 &&
			len(s.OwnerReferences) == 0 && s.Labels[v1alpha1.PoolLabel] == m.PoolName && s.Labels[v1alpha1.NodeLabel] == m.Name
		return unless(ok, "%+v", s.ObjectMeta)
	}},
	{"32 no data volume templates", func(_ Member, r *Rendered) string {
		return unless(len(r.VM.Spec.DataVolumeTemplates) == 0, "%v", r.VM.Spec.DataVolumeTemplates)
	}},
}

var specRows = []row{
	{"16 run strategy", func(_ Member, r *Rendered) string {
		return unless(r.VM.Spec.Running == nil && *r.VM.Spec.RunStrategy == kubevirtv1.RunStrategyAlways, "%v", r.VM.Spec.RunStrategy)
	}},
	{"18 cpu", func(m Member, r *Rendered) string {
		want := kubevirtv1.CPU{Sockets: 1, Threads: 1, Cores: uint32(m.Template.CPU)}
		return unless(equality.Semantic.DeepEqual(*r.VM.Spec.Template.Spec.Domain.CPU, want), "%+v", r.VM.Spec.Template.Spec.Domain.CPU)
	}},
	{"19 limits", func(m Member, r *Rendered) string {
		limits := r.VM.Spec.Template.Spec.Domain.Resources.Limits
		return unless(limits.Cpu().Value() == int64(m.Template.CPU) && limits.Memory().Cmp(m.Template.Memory) == 0 && len(limits) == 2, "%v", limits)
	}},
	{"20 computed by the server", func(_ Member, r *Rendered) string {
		domain := r.VM.Spec.Template.Spec.Domain
		return unless(len(domain.Resources.Requests) == 0 && domain.Memory == nil && domain.CPU.MaxSockets == 0, "%+v", domain)
	}},
	{"21 acpi", func(_ Member, r *Rendered) string {
		return unless(*r.VM.Spec.Template.Spec.Domain.Features.ACPI.Enabled, "off")
	}},
	{"22 tablet", func(_ Member, r *Rendered) string {
		inputs := r.VM.Spec.Template.Spec.Domain.Devices.Inputs
		return unless(slices.Equal(inputs, []kubevirtv1.Input{{Name: "tablet", Type: "tablet", Bus: "usb"}}), "%v", inputs)
	}},
	{"23 eviction", func(_ Member, r *Rendered) string {
		return unless(*r.VM.Spec.Template.Spec.EvictionStrategy == kubevirtv1.EvictionStrategyLiveMigrateIfPossible, "%v", r.VM.Spec.Template.Spec.EvictionStrategy)
	}},
	{"24 grace", func(_ Member, r *Rendered) string {
		return unless(*r.VM.Spec.Template.Spec.TerminationGracePeriodSeconds == 120, "%v", r.VM.Spec.Template.Spec.TerminationGracePeriodSeconds)
	}},
	{"25 hostname", func(m Member, r *Rendered) string {
		return unless(r.VM.Spec.Template.Spec.Hostname == m.Name, "%q", r.VM.Spec.Template.Spec.Hostname)
	}},
	{"29, 30 networks", func(m Member, r *Rendered) string {
		spec := r.VM.Spec.Template.Spec
		if len(spec.Networks) != len(m.Template.Networks) || len(spec.Domain.Devices.Interfaces) != len(spec.Networks) {
			return fmt.Sprintf("%d networks, %d interfaces", len(spec.Networks), len(spec.Domain.Devices.Interfaces))
		}
		for i, net := range spec.Networks {
			nic := spec.Domain.Devices.Interfaces[i]
			if nic.Name != net.Name || nic.Bridge == nil || nic.Masquerade != nil || nic.MacAddress != "" || nic.Model != "virtio" ||
				net.Multus == nil || net.Multus.NetworkName != m.Template.Networks[i].Name {
				return fmt.Sprintf("%+v %+v", nic, net)
			}
		}
		return ""
	}},
	{"31 no node selector", func(_ Member, r *Rendered) string {
		return unless(len(r.VM.Spec.Template.Spec.NodeSelector) == 0, "%v", r.VM.Spec.Template.Spec.NodeSelector)
	}},
	{"members prefer different hosts", func(m Member, r *Rendered) string {
		terms := r.VM.Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
		ok := len(terms) == 1 && terms[0].PodAffinityTerm.LabelSelector.MatchLabels[v1alpha1.PoolLabel] == m.PoolName
		return unless(ok && len(r.VM.Spec.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) == 0, "%+v", terms)
	}},
}
