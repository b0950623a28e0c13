package harvestertemplate

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/vm"
)

// diskName is Disk.Name's pattern.
var diskName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$`)

// disks takes over the disks that have claims, in boot order, without the claims' names: those of members are made from
// the member's name.
func (r *resolver) disks() {
	var err error
	r.claims, err = claimTemplates(r.version)
	if len(r.pool.Disks) > 0 {
		return
	}
	if err != nil {
		r.report("its annotation %s: %v; name another or set spec.template.disks", vm.ClaimTemplatesAnnotation, err)
		return
	}
	volumes := r.claimVolumes()
	if len(volumes) == 0 {
		r.report("it has no disk; add one in a new version or set spec.template.disks")
		return
	}
	r.nameDisks(volumes)
	for i, v := range volumes {
		claim, ok := r.claims[r.claimOf(v)]
		if !ok {
			r.report(
				"its disk %q is an existing volume, which only one VM can have; use an image in a new version or set spec.template.disks",
				v.Name)
			continue
		}
		r.disk(i, v.Name, claim)
	}
}

// claimTemplates are the templates of a version's claims, by their names.
func claimTemplates(v *Version) (map[string]corev1.PersistentVolumeClaim, error) {
	var claims []corev1.PersistentVolumeClaim
	if doc := v.Annotations[vm.ClaimTemplatesAnnotation]; doc != "" {
		if err := json.Unmarshal([]byte(doc), &claims); err != nil {
			return nil, err
		}
	}
	byName := map[string]corev1.PersistentVolumeClaim{}
	for _, c := range claims {
		byName[c.Name] = c
	}
	return byName, nil
}

// claimOf is the name of the claim behind a volume; empty: there is none. After a migration to another storage class
// Harvester names it as a DataVolume, whose claim is called the same (Harvester issue 10183).
func (r *resolver) claimOf(v kubevirtv1.Volume) string {
	if v.PersistentVolumeClaim != nil {
		return v.PersistentVolumeClaim.ClaimName
	}
	if v.DataVolume == nil {
		return ""
	}
	return r.claims[v.DataVolume.Name].Name
}

func (r *resolver) disk(i int, name string, claim corev1.PersistentVolumeClaim) {
	d := v1alpha1.Disk{
		Name:  r.diskNames[name],
		Size:  claim.Spec.Resources.Requests.Storage().DeepCopy(),
		Image: claim.Annotations[vm.ImageIDAnnotation],
	}
	switch {
	case d.Image == "" && i == 0:
		r.report("its first disk, %q, has no image to boot from; choose one in a new version or set spec.template.disks",
			name)
		return
	case d.Image == "" && (claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName == ""):
		r.report(
			"its disk %q has neither an image nor a storage class; choose one in a new version or set spec.template.disks", name)
		return
	case d.Image == "":
		d.StorageClassName = *claim.Spec.StorageClassName
	}
	r.out.Disks = append(r.out.Disks, d)
}

// claimVolumes are the volumes with claims, in the boot order of their disks. One that isn't a hard disk is reported as
// a problem.
func (r *resolver) claimVolumes() []kubevirtv1.Volume {
	order := map[string]uint{}
	for i, d := range r.spec.Template.Spec.Domain.Devices.Disks {
		order[d.Name] = math.MaxUint16 + uint(i)
		if d.BootOrder != nil {
			order[d.Name] = *d.BootOrder
		}
	}
	var volumes []kubevirtv1.Volume
	for _, v := range r.spec.Template.Spec.Volumes {
		if r.claimOf(v) == "" {
			continue
		}
		if r.isCDROM(v.Name) {
			r.report(
				"its disk %q is a CD-ROM with a volume of its own, which a member can't have; remove it in a new version or set spec.template.disks",
				v.Name)
			continue
		}
		volumes = append(volumes, v)
	}
	slices.SortStableFunc(volumes, func(a, b kubevirtv1.Volume) int { return int(order[a.Name]) - int(order[b.Name]) })
	return volumes
}

func (r *resolver) isCDROM(name string) bool {
	return slices.ContainsFunc(r.spec.Template.Spec.Domain.Devices.Disks, func(d kubevirtv1.Disk) bool {
		return d.Name == name && (d.CDRom != nil || d.LUN != nil)
	})
}

// nameDisks keeps the names of the volumes if all of them are short enough to be a part of claims' names. Otherwise
// they are numbered, by numbers that volumes without claims leave free.
func (r *resolver) nameDisks(volumes []kubevirtv1.Volume) {
	r.diskNames = map[string]string{}
	short := !slices.ContainsFunc(volumes,
		func(v kubevirtv1.Volume) bool { return !diskName.MatchString(v.Name) || v.Name == vm.CloudInitDisk })
	others := map[string]bool{}
	for _, v := range r.spec.Template.Spec.Volumes {
		others[v.Name] = r.claimOf(v) == ""
	}
	number := 0
	for _, v := range volumes {
		r.diskNames[v.Name] = v.Name
		for !short {
			name := fmt.Sprintf("disk-%d", number)
			if number++; !others[name] {
				r.diskNames[v.Name] = name
				break
			}
		}
	}
}
