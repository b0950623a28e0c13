package vm

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// CloudInitDisk is the name by which Harvester's UI finds the cloud-init volume.
const CloudInitDisk = "cloudinitdisk"

// claimTemplate is an entry of the volumeClaimTemplates annotation: the part of a PersistentVolumeClaim that
// Harvester's VM controller and UI read. corev1's own type would also marshal an empty status.
type claimTemplate struct {
	Metadata claimMetadata `json:"metadata"`
	Spec     claimSpec     `json:"spec"`
}

type claimMetadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type claimSpec struct {
	AccessModes      []corev1.PersistentVolumeAccessMode `json:"accessModes"`
	Resources        claimResources                      `json:"resources"`
	StorageClassName string                              `json:"storageClassName"`
	VolumeMode       corev1.PersistentVolumeMode         `json:"volumeMode"`
}

type claimResources struct {
	Requests claimRequests `json:"requests"`
}

type claimRequests struct {
	Storage string `json:"storage"`
}

// claimTemplates is the value of the annotation from which Harvester makes the claims of the VM's disks.
func claimTemplates(m blueprint.Member, f blueprint.Facts) (string, error) {
	names := blueprint.ClaimNames(m)
	entries := make([]claimTemplate, 0, len(names))
	for i, d := range m.Template.Disks {
		annotations := map[string]string{v1alpha1.PoolUIDAnnotation: m.PoolUID}
		if d.Image != "" {
			annotations[ImageIDAnnotation] = d.Image
		}
		class := f.ClassOf(d)
		entries = append(entries, claimTemplate{
			Metadata: claimMetadata{Name: names[i], Labels: blueprint.DependentLabels(m), Annotations: annotations},
			Spec: claimSpec{
				AccessModes:      []corev1.PersistentVolumeAccessMode{accessMode(f.StorageClasses[class])},
				Resources:        claimResources{Requests: claimRequests{Storage: d.Size.String()}},
				StorageClassName: class,
				VolumeMode:       volumeMode(f.StorageClasses[class]),
			},
		})
	}
	doc, err := json.Marshal(entries)
	if err != nil {
		return "", fmt.Errorf("marshalling the claim templates: %w", err)
	}
	return string(doc), nil
}

// accessMode is ReadWriteMany where the driver can do it, for live migration needs it.
func accessMode(class blueprint.StorageClass) corev1.PersistentVolumeAccessMode {
	if class.Shareable {
		return corev1.ReadWriteMany
	}
	return corev1.ReadWriteOnce
}

// volumeMode is Block where the driver can do it, which is faster.
func volumeMode(class blueprint.StorageClass) corev1.PersistentVolumeMode {
	if class.Filesystem {
		return corev1.PersistentVolumeFilesystem
	}
	return corev1.PersistentVolumeBlock
}

// disks are the VM's disks: those of the template in their order, which is the boot order, and the cloud-init disk
// last.
func disks(t *v1alpha1.NodeTemplate) []kubevirtv1.Disk {
	all := make([]kubevirtv1.Disk, 0, len(t.Disks)+1)
	for i, d := range t.Disks {
		bootOrder := uint(i + 1)
		disk := virtioDisk(d.Name)
		disk.BootOrder = &bootOrder
		all = append(all, disk)
	}
	return append(all, virtioDisk(CloudInitDisk))
}

func virtioDisk(name string) kubevirtv1.Disk {
	return kubevirtv1.Disk{
		Name:       name,
		DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: kubevirtv1.DiskBusVirtio}},
	}
}

// volumes are the volumes of the disks, in the same order. The UI takes the first one for the root disk.
func volumes(m blueprint.Member) []kubevirtv1.Volume {
	names := blueprint.ClaimNames(m)
	all := make([]kubevirtv1.Volume, 0, len(names)+1)
	for i, d := range m.Template.Disks {
		all = append(all, kubevirtv1.Volume{Name: d.Name, VolumeSource: kubevirtv1.VolumeSource{
			PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{
				PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: names[i]},
			},
		}})
	}
	secret := &corev1.LocalObjectReference{Name: blueprint.SecretName(m)}
	return append(all, kubevirtv1.Volume{Name: CloudInitDisk, VolumeSource: kubevirtv1.VolumeSource{
		CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{
			UserDataSecretRef:    secret,
			NetworkDataSecretRef: secret.DeepCopy(),
		},
	}})
}
