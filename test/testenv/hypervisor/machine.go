package hypervisor

import (
	"cmp"
	"context"
	"math"
	"path/filepath"
	"slices"

	virtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// machineOf reads what the guest boots on, the Secrets with its user and network data included.
func (h *Hypervisor) machineOf(ctx context.Context, instance *virtv1.VirtualMachineInstance) (guest.Machine, error) {
	m := guest.Machine{
		Namespace: instance.Namespace,
		Name:      instance.Name,
		Hostname:  cmp.Or(instance.Spec.Hostname, instance.Name),
		LogFile:   filepath.Join(h.options.logDir(), instance.Namespace+"_"+instance.Name+".log"),
		CPUs:      cpus(instance.Spec.Domain),
		MemoryMiB: memoryMiB(instance.Spec.Domain),
		MACs:      macsOf(instance),
	}
	if firmware := instance.Spec.Domain.Firmware; firmware != nil {
		m.UUID, m.Serial = string(firmware.UUID), firmware.Serial
	}
	if err := h.readDisks(ctx, instance, &m); err != nil {
		return guest.Machine{}, err
	}
	err := h.readCloudInit(ctx, instance, &m)
	return m, err
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

// claimsOf are the claims of an instance's disks, in the order of the disks.
func claimsOf(instance *virtv1.VirtualMachineInstance) []string {
	var claims []string
	for _, disk := range instance.Spec.Domain.Devices.Disks {
		for _, volume := range instance.Spec.Volumes {
			if volume.Name == disk.Name && volume.PersistentVolumeClaim != nil {
				claims = append(claims, volume.PersistentVolumeClaim.ClaimName)
			}
		}
	}
	return claims
}

func bootOrder(d virtv1.Disk) uint {
	if d.BootOrder == nil {
		return math.MaxUint
	}
	return *d.BootOrder
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
