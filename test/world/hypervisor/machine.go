package hypervisor

import (
	"cmp"
	"context"
	"encoding/base64"
	"math"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	virtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/world/hypervisor/guest"
)

// machineOf reads what the guest boots on, the Secret with its user data included.
func (h *Hypervisor) machineOf(ctx context.Context, instance *virtv1.VirtualMachineInstance) (guest.Machine, error) {
	userData, err := h.userData(ctx, instance)
	if err != nil {
		return guest.Machine{}, err
	}
	disk := rootClaim(instance)
	if disk == "" {
		disk = ephemeralDisk(instance)
	}
	return guest.Machine{
		Namespace: instance.Namespace,
		Name:      instance.Name,
		Disk:      h.diskOf(instance.Namespace, disk),
		LogFile:   filepath.Join(h.options.logDir(), instance.Namespace+"_"+instance.Name+".log"),
		CPUs:      cpus(instance.Spec.Domain),
		MemoryMiB: memoryMiB(instance.Spec.Domain),
		UserData:  userData,
	}, nil
}

func ephemeralDisk(instance *virtv1.VirtualMachineInstance) string {
	return "ephemeral-" + string(instance.UID)
}

// rootClaim is the claim of the disk that the firmware boots from: that with the lowest bootOrder, else the
// first. It's empty if that disk has no claim, and so doesn't outlive the guest.
func rootClaim(instance *virtv1.VirtualMachineInstance) string {
	disks := slices.Clone(instance.Spec.Domain.Devices.Disks)
	slices.SortStableFunc(disks, func(a, b virtv1.Disk) int { return cmp.Compare(bootOrder(a), bootOrder(b)) })
	if len(disks) == 0 {
		return ""
	}
	for _, volume := range instance.Spec.Volumes {
		if volume.Name == disks[0].Name && volume.PersistentVolumeClaim != nil {
			return volume.PersistentVolumeClaim.ClaimName
		}
	}
	return ""
}

func bootOrder(d virtv1.Disk) uint {
	if d.BootOrder == nil {
		return math.MaxUint
	}
	return *d.BootOrder
}

// userData finds the user data of the first NoCloud or ConfigDrive volume.
func (h *Hypervisor) userData(ctx context.Context, instance *virtv1.VirtualMachineInstance) ([]byte, error) {
	for _, volume := range instance.Spec.Volumes {
		var inline, encoded string
		var secret *corev1.LocalObjectReference
		switch noCloud, drive := volume.CloudInitNoCloud, volume.CloudInitConfigDrive; {
		case noCloud != nil:
			inline, encoded, secret = noCloud.UserData, noCloud.UserDataBase64, noCloud.UserDataSecretRef
		case drive != nil:
			inline, encoded, secret = drive.UserData, drive.UserDataBase64, drive.UserDataSecretRef
		default:
			continue
		}
		switch {
		case secret != nil:
			return h.userDataOf(ctx, client.ObjectKey{Namespace: instance.Namespace, Name: secret.Name})
		case encoded != "":
			return base64.StdEncoding.DecodeString(encoded)
		}
		return []byte(inline), nil
	}
	return nil, nil
}

// userDataOf reads the Secret under either of the keys that KubeVirt knows.
func (h *Hypervisor) userDataOf(ctx context.Context, key client.ObjectKey) ([]byte, error) {
	var secret corev1.Secret
	if err := h.direct.Get(ctx, key, &secret); err != nil {
		return nil, err
	}
	if data, ok := secret.Data["userdata"]; ok {
		return data, nil
	}
	return secret.Data["userData"], nil
}

func cpus(d virtv1.DomainSpec) int {
	if d.CPU != nil {
		return int(max(1, d.CPU.Cores) * max(1, d.CPU.Sockets) * max(1, d.CPU.Threads))
	}
	return int(max(1, d.Resources.Limits.Cpu().Value(), d.Resources.Requests.Cpu().Value()))
}

func memoryMiB(d virtv1.DomainSpec) int {
	bytes := max(d.Resources.Limits.Memory().Value(), d.Resources.Requests.Memory().Value())
	if d.Memory != nil && d.Memory.Guest != nil {
		bytes = d.Memory.Guest.Value()
	}
	return int(max(64, bytes>>20))
}
