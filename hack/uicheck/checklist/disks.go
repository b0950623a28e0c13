package checklist

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

const cloudInitDisk = "cloudinitdisk"

// claims reads the annotation as Harvester does.
func claims(s Subject) []corev1.PersistentVolumeClaim {
	var all []corev1.PersistentVolumeClaim
	if json.Unmarshal([]byte(s.VM.Annotations["harvesterhci.io/volumeClaimTemplates"]), &all) != nil {
		return nil
	}
	return all
}

// eachClaim checks all claims; one without any is wrong.
func eachClaim(check func(s Subject, i int, c corev1.PersistentVolumeClaim) string) func(Subject) string {
	return func(s Subject) string {
		all := claims(s)
		for i, c := range all {
			if wrong := check(s, i, c); wrong != "" {
				return fmt.Sprintf("claim %q: %s", c.Name, wrong)
			}
		}
		return unless(len(all) > 0, "no claims")
	}
}

func class(c corev1.PersistentVolumeClaim) string {
	if c.Spec.StorageClassName == nil {
		return ""
	}
	return *c.Spec.StorageClassName
}

func image(c corev1.PersistentVolumeClaim) (string, bool) {
	ref, set := c.Annotations["harvesterhci.io/imageId"]
	return ref, set
}

// disks is what a VM has its data on.
var disks = []demand{
	// Harvester: vm_controller.go, createPVCsFromAnnotation; validator.go.
	{"annotation harvesterhci.io/volumeClaimTemplates: the claims that the volumes name", func(s Subject) string {
		var made, named []string
		for _, c := range claims(s) {
			made = append(made, c.Name)
		}
		for _, v := range s.VM.Spec.Template.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				named = append(named, v.PersistentVolumeClaim.ClaimName)
			}
		}
		once := len(slices.Compact(slices.Sorted(slices.Values(made)))) == len(made)
		return unless(len(made) > 0 && slices.Equal(made, named) && once && !slices.Contains(made, ""), "%v and %v", made,
			named)
	}},
	// Harvester UI: models/kubevirt.io.virtualmachine.js, rootImageId; Harvester: vm_controller.go.
	{
		"claims' annotation harvesterhci.io/imageId: namespace/name on the root disk, absent on empty disks",
		eachClaim(func(_ Subject, i int, c corev1.PersistentVolumeClaim) string {
			ref, set := image(c)
			namespace, name, ok := strings.Cut(ref, "/")
			return unless(set == (ok && namespace != "" && name != "") && (set || i > 0), "%q", ref)
		}),
	},
	// Harvester issue 9392: the name isn't composed in the same way by all versions.
	{
		"claims' storage class: the image's own, or one that was chosen",
		eachClaim(func(s Subject, _ int, c corev1.PersistentVolumeClaim) string {
			ref, set := image(c)
			want := s.Images[ref].StorageClassName
			return unless(class(c) != "" && (!set || class(c) == want), "%q, the image's is %q", class(c), want)
		}),
	},
	// Harvester UI: mixins/harvester-vm, parseVolumeClaimTemplate.
	{
		"claims' access: ReadWriteMany and Block, for live migration, unless the class can't",
		eachClaim(func(s Subject, _ int, c corev1.PersistentVolumeClaim) string {
			want := corev1.ReadWriteMany
			if s.Local[class(c)] {
				want = corev1.ReadWriteOnce
			}
			mode := corev1.PersistentVolumeBlock
			if s.Filesystem[class(c)] {
				mode = corev1.PersistentVolumeFilesystem
			}
			has := ptr.Deref(c.Spec.VolumeMode, "none")
			return unless(has == mode && slices.Equal(c.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{want}),
				"%v, volumeMode %s", c.Spec.AccessModes, has)
		}),
	},
	{
		"claims' size: at least the image's virtual size",
		eachClaim(func(s Subject, _ int, c corev1.PersistentVolumeClaim) string {
			ref, _ := image(c)
			size, least := c.Spec.Resources.Requests.Storage().Value(), s.Images[ref].VirtualSize
			return unless(size > 0 && size >= least, "%d bytes, the image has %d", size, least)
		}),
	},
	// Harvester UI: models/kubevirt.io.virtualmachine.js, rootImageId.
	{"volumes[0]: the root disk", func(s Subject) string {
		volumes, all := s.VM.Spec.Template.Spec.Volumes, claims(s)
		ok := len(volumes) > 0 && len(all) > 0 && volumes[0].PersistentVolumeClaim != nil &&
			volumes[0].PersistentVolumeClaim.ClaimName == all[0].Name
		return unless(ok, "%d volumes, %d claims", len(volumes), len(all))
	}},
	// Harvester UI: mixins/harvester-vm, getDiskRows.
	{
		"disks and volumes: paired by name and place; the claims' boot in their order, each on a bus",
		func(s Subject) string {
			spec := s.VM.Spec.Template.Spec
			if len(spec.Domain.Devices.Disks) < len(spec.Volumes) {
				return fmt.Sprintf("%d disks, %d volumes", len(spec.Domain.Devices.Disks), len(spec.Volumes))
			}
			for i, v := range spec.Volumes {
				d := spec.Domain.Devices.Disks[i]
				boots := d.BootOrder != nil && *d.BootOrder == uint(i+1) && d.Disk != nil && d.Disk.Bus != ""
				if d.Name != v.Name || v.PersistentVolumeClaim != nil && !boots {
					return fmt.Sprintf("disk %d is %q, its volume %q, its boot order %v", i, d.Name, v.Name, d.BootOrder)
				}
			}
			return ""
		},
	},
	// Harvester UI: mixins/harvester-vm, getSecret and saveSecret.
	{"volume cloudinitdisk: NoCloud, both parts from one Secret, nothing inline", func(s Subject) string {
		source := cloudInit(s)
		if source == nil || source.UserDataSecretRef == nil || source.NetworkDataSecretRef == nil {
			return fmt.Sprintf("%+v", source)
		}
		inline := source.UserData + source.UserDataBase64 + source.NetworkData + source.NetworkDataBase64
		return unless(source.UserDataSecretRef.Name == source.NetworkDataSecretRef.Name && inline == "", "%+v", source)
	}},
	// Harvester issue 9387: a VM whose Secret is missing starts for ever.
	{"its Secret: as old as the VM, marked for the UI, userdata a #cloud-config, networkdata", func(s Subject) string {
		source := cloudInit(s)
		if s.Secret == nil || source == nil || source.UserDataSecretRef == nil {
			return "missing"
		}
		ok := s.Secret.Name == source.UserDataSecretRef.Name && s.Secret.Namespace == s.VM.Namespace &&
			s.Secret.Labels["harvesterhci.io/cloud-init-template"] == "harvester" &&
			strings.HasPrefix(string(s.Secret.Data["userdata"]), "#cloud-config\n")
		_, hasNetwork := s.Secret.Data["networkdata"]
		ok = ok && hasNetwork
		if s.Live && s.VM.CreationTimestamp.Before(&s.Secret.CreationTimestamp) {
			return fmt.Sprintf("%s/%s was made after the VM", s.Secret.Namespace, s.Secret.Name)
		}
		return unless(ok, "%s/%s, labels %v", s.Secret.Namespace, s.Secret.Name, s.Secret.Labels)
	}},
	// Harvester: pkg/api/vm/handler.go; the UI shows no disks that were made in this way.
	{"spec.dataVolumeTemplates: none", func(s Subject) string {
		return unless(len(s.VM.Spec.DataVolumeTemplates) == 0, "%d", len(s.VM.Spec.DataVolumeTemplates))
	}},
}

// cloudInit is the source of the volume that the UI looks for; nil: there is none.
func cloudInit(s Subject) *kubevirtv1.CloudInitNoCloudSource {
	for _, v := range s.VM.Spec.Template.Spec.Volumes {
		if v.Name == cloudInitDisk {
			return v.CloudInitNoCloud
		}
	}
	return nil
}
