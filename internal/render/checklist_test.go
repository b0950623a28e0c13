package render_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
	"github.com/nomad-harvester/nomad-harvester/internal/vm"
)

// row is a demand that goes beyond the checklist, because it compares a VM with the member it was rendered from. check
// returns what is wrong; empty: nothing.
type row struct {
	name  string
	check func(m blueprint.Member, r *render.Objects) string
}

func TestRenderedMemberIsWhatHarvesterWants(t *testing.T) {
	for name, m := range matrix() {
		t.Run(name, func(t *testing.T) {
			r := rendertest.Member(t, m, blueprinttest.Facts())
			for demand, wrong := range wrongs(m, r, func(string) bool { return true }) {
				t.Errorf("%s: %s", demand, wrong)
			}
		})
	}
}

// wrongs are those of the demands asked for that a rendered member doesn't meet, with what is wrong.
func wrongs(m blueprint.Member, r *render.Objects, asked func(demand string) bool) map[string]string {
	found := map[string]string{}
	add := func(demand, wrong string) {
		if wrong != "" {
			found[demand] = wrong
		}
	}
	subject := checklist.Subject{
		VM: r.VM, Secret: r.Secret, PoolUID: m.PoolUID, Local: map[string]bool{"local-lvm": true},
		Images: map[string]checklist.Image{
			blueprinttest.Image: {StorageClassName: blueprinttest.StorageClass, VirtualSize: 10 << 30}},
	}
	for _, row := range checklist.Check(subject) {
		add(row.Demand, row.Wrong)
	}
	for _, row := range memberRows {
		if asked(row.name) {
			add(row.name, row.check(m, r))
		}
	}
	return found
}

// matrix is a member for each combination of the things that a template may have or not.
func matrix() map[string]blueprint.Member {
	all := map[string]blueprint.Member{}
	for bits := range 1 << 6 {
		on := func(i int) bool { return bits&(1<<i) != 0 }
		m := blueprinttest.Member()
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
			t.Disks = append(t.Disks,
				v1alpha1.Disk{Name: "scratch", Size: resource.MustParse("1Ti"), StorageClassName: "local-lvm"})
		}
		if on(4) {
			t.Labels = map[string]string{"team": "data", v1alpha1.PoolLabel: "other"}
			t.Annotations = map[string]string{"note": "x", v1alpha1.MemberAnnotation: "other"}
			m.IntroductionToken = "eyJ.abc.def"
		}
		if on(5) {
			t.VirtualMachine = blueprinttest.Overlay(
				`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"root","cache":"none"}]}},"tolerations":[{"key":"x"}]}}}`,
			)
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

// claimsOf reads the annotation as Harvester does.
func claimsOf(r *render.Objects) []corev1.PersistentVolumeClaim {
	var claims []corev1.PersistentVolumeClaim
	if err := json.Unmarshal([]byte(r.VM.Annotations[vm.ClaimTemplatesAnnotation]), &claims); err != nil {
		return nil
	}
	return claims
}

// eachClaim checks all claims against the disks of the template.
func eachClaim(
	check func(m blueprint.Member, d v1alpha1.Disk, c corev1.PersistentVolumeClaim) string) func(blueprint.Member, *render.Objects) string {
	return func(m blueprint.Member, r *render.Objects) string {
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

var memberRows = []row{
	{"name and namespace", func(m blueprint.Member, r *render.Objects) string {
		ok := r.VM.Name == m.Name && r.VM.Namespace == m.Namespace && r.Secret.Namespace == m.Namespace
		return unless(ok, "%s/%s, Secret in %s", r.VM.Namespace, r.VM.Name, r.Secret.Namespace)
	}},
	{"creator and os", func(m blueprint.Member, r *render.Objects) string {
		ok := r.VM.Labels["harvesterhci.io/creator"] == "nomad-harvester" &&
			r.VM.Labels["harvesterhci.io/os"] == cmp.Or(m.Template.OS, "linux")
		return unless(ok, "%v", r.VM.Labels)
	}},
	{"prefix", func(m blueprint.Member, r *render.Objects) string {
		labels := r.VM.Spec.Template.ObjectMeta.Labels
		return unless(labels["harvesterhci.io/vmNamePrefix"] == m.PoolName, "%v", labels)
	}},
	{"all labels are on the template", func(m blueprint.Member, r *render.Objects) string {
		for key, value := range r.VM.Labels {
			if key != vm.OSLabel && r.VM.Spec.Template.ObjectMeta.Labels[key] != value {
				return fmt.Sprintf("%s=%s isn't", key, value)
			}
		}
		return unless(r.VM.Labels[v1alpha1.PoolLabel] == m.PoolName && r.VM.Labels[v1alpha1.RevisionLabel] == m.Revision,
			"%v", r.VM.Labels)
	}},
	{"key pairs", func(m blueprint.Member, r *render.Objects) string {
		var names []string
		err := json.Unmarshal([]byte(r.VM.Spec.Template.ObjectMeta.Annotations["harvesterhci.io/sshNames"]), &names)
		return unless(err == nil && slices.Equal(names, m.Template.SSHKeys), "%v", names)
	}},
	{"membership", func(m blueprint.Member, r *render.Objects) string {
		return unless(blueprint.IsMember(r.VM, m.PoolName, m.PoolUID), "%v %v", r.VM.Labels, r.VM.Annotations)
	}},
	{"claim names", func(m blueprint.Member, r *render.Objects) string {
		var names []string
		for _, c := range claimsOf(r) {
			names = append(names, c.Name)
		}
		return unless(slices.Equal(names, r.Claims) && slices.Equal(r.Claims, blueprint.ClaimNames(m)), "%v, %v", names,
			r.Claims)
	}},
	{"claims' contents", eachClaim(func(_ blueprint.Member, d v1alpha1.Disk, c corev1.PersistentVolumeClaim) string {
		want := d.StorageClassName
		if d.Image != "" {
			want = blueprinttest.StorageClass
		}
		ok := c.Annotations["harvesterhci.io/imageId"] == d.Image && *c.Spec.StorageClassName == want &&
			c.Spec.Resources.Requests.Storage().Cmp(d.Size) == 0
		return unless(ok, "%+v for %+v", c, d)
	})},
	{
		"claims say whose they are",
		eachClaim(func(m blueprint.Member, _ v1alpha1.Disk, c corev1.PersistentVolumeClaim) string {
			ok := c.Labels[v1alpha1.PoolLabel] == m.PoolName && c.Labels[v1alpha1.NodeLabel] == m.Name &&
				c.Annotations[v1alpha1.PoolUIDAnnotation] == m.PoolUID
			return unless(ok, "%v %v", c.Labels, c.Annotations)
		}),
	},
	{"disks", func(m blueprint.Member, r *render.Objects) string {
		spec := r.VM.Spec.Template.Spec
		for i, d := range spec.Domain.Devices.Disks {
			if d.Disk == nil || d.Disk.Bus != kubevirtv1.DiskBusVirtio ||
				i < len(m.Template.Disks) && d.Name != m.Template.Disks[i].Name {
				return fmt.Sprintf("disk %d: %+v", i, d)
			}
		}
		return unless(len(spec.Domain.Devices.Disks) == len(spec.Volumes), "%d disks, %d volumes",
			len(spec.Domain.Devices.Disks), len(spec.Volumes))
	}},
	{"the Secret's own marks", func(m blueprint.Member, r *render.Objects) string {
		s := r.Secret
		ok := s.Name == blueprint.SecretName(m) && s.Type == corev1.SecretTypeOpaque && len(s.Data) == 2 &&
			len(s.OwnerReferences) == 0 &&
			s.Labels[v1alpha1.PoolLabel] == m.PoolName &&
			s.Labels[v1alpha1.NodeLabel] == m.Name
		return unless(ok, "%+v", s.ObjectMeta)
	}},
	{"sizes", func(m blueprint.Member, r *render.Objects) string {
		domain := r.VM.Spec.Template.Spec.Domain
		want := kubevirtv1.CPU{Sockets: 1, Threads: 1, Cores: uint32(m.Template.CPU)}
		limits := domain.Resources.Limits
		ok := equality.Semantic.DeepEqual(*domain.CPU, want) && limits.Cpu().Value() == int64(m.Template.CPU) &&
			limits.Memory().Cmp(m.Template.Memory) == 0 &&
			len(limits) == 2
		return unless(ok, "%+v, %v", domain.CPU, limits)
	}},
	{"eviction and grace by default", func(_ blueprint.Member, r *render.Objects) string {
		spec := r.VM.Spec.Template.Spec
		ok := *spec.EvictionStrategy == kubevirtv1.EvictionStrategyLiveMigrateIfPossible &&
			*spec.TerminationGracePeriodSeconds == 120
		return unless(ok, "%v %v", *spec.EvictionStrategy, *spec.TerminationGracePeriodSeconds)
	}},
	{"networks", func(m blueprint.Member, r *render.Objects) string {
		spec := r.VM.Spec.Template.Spec
		if len(spec.Networks) != len(m.Template.Networks) {
			return fmt.Sprintf("%d networks", len(spec.Networks))
		}
		for i, net := range spec.Networks {
			nic := spec.Domain.Devices.Interfaces[i]
			if nic.Masquerade != nil || nic.Model != "virtio" || net.Multus.NetworkName != m.Template.Networks[i].Name {
				return fmt.Sprintf("%+v %+v", nic, net)
			}
		}
		return ""
	}},
	{"members prefer different hosts", func(m blueprint.Member, r *render.Objects) string {
		affinity := r.VM.Spec.Template.Spec.Affinity.PodAntiAffinity
		terms := affinity.PreferredDuringSchedulingIgnoredDuringExecution
		ok := len(terms) == 1 && terms[0].PodAffinityTerm.LabelSelector.MatchLabels[v1alpha1.PoolLabel] == m.PoolName
		return unless(ok && len(affinity.RequiredDuringSchedulingIgnoredDuringExecution) == 0, "%+v", terms)
	}},
}
