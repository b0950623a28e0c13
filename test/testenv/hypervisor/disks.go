package hypervisor

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"io/fs"
	"net"
	"os"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	virtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// watchClaims removes the disks of claims that are gone. A claim made anew under an old name is a new disk.
func (h *Hypervisor) watchClaims(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).Named("disks").For(&corev1.PersistentVolumeClaim{}).
		Complete(reconcile.Func(h.reconcileClaim))
}

func (h *Hypervisor) reconcileClaim(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	err := h.Get(ctx, request.NamespacedName, &corev1.PersistentVolumeClaim{})
	if err == nil || !apierrors.IsNotFound(err) {
		return ctrl.Result{}, err
	}
	disk := h.diskOf(request.Namespace, request.Name)
	if _, err := os.Stat(disk); errors.Is(err, fs.ErrNotExist) {
		return ctrl.Result{}, nil // never booted from
	}
	if h.domains.uses(disk) {
		return ctrl.Result{RequeueAfter: waitInterval}, nil
	}
	if err := os.RemoveAll(disk); err != nil {
		return ctrl.Result{}, err
	}
	h.trace.add(Event{Kind: DiskRemoved, VM: request.NamespacedName})
	return ctrl.Result{}, nil
}

// readDisks finds the disks that have claims, and how large they are. The root disk is another if it has none.
func (h *Hypervisor) readDisks(ctx context.Context, instance *virtv1.VirtualMachineInstance, m *guest.Machine) error {
	root := rootClaim(instance)
	if root == "" {
		m.Disk = h.diskOf(instance.Namespace, ephemeralDisk(instance))
	}
	for _, name := range claimsOf(instance) {
		var claim corev1.PersistentVolumeClaim
		if err := h.Get(ctx, types.NamespacedName{Namespace: instance.Namespace, Name: name}, &claim); err != nil {
			return err
		}
		if err := h.fill(&claim); err != nil {
			return err
		}
		disk := guest.Disk{Dir: h.diskOf(instance.Namespace, name), Bytes: claim.Spec.Resources.Requests.Storage().Value()}
		if name == root {
			m.Disk, m.DiskBytes = disk.Dir, disk.Bytes
		} else {
			m.Data = append(m.Data, disk)
		}
	}
	return nil
}

// fill makes the disk of a claim that is a copy of another claim, if it wasn't booted from yet.
func (h *Hypervisor) fill(claim *corev1.PersistentVolumeClaim) error {
	source := claim.Spec.DataSource
	if source == nil || source.Kind != "PersistentVolumeClaim" {
		return nil
	}
	disk := h.diskOf(claim.Namespace, claim.Name)
	if _, err := os.Stat(disk); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.CopyFS(disk, os.DirFS(h.diskOf(claim.Namespace, source.Name)))
	if err != nil {
		err = errors.Join(err, os.RemoveAll(disk)) // half a copy would be booted from
	}
	return err
}

// macsOf are the addresses of an instance's interfaces, in the order of its networks.
func macsOf(instance *virtv1.VirtualMachineInstance) []string {
	given := map[string]string{}
	for _, i := range instance.Spec.Domain.Devices.Interfaces {
		given[i.Name] = i.MacAddress
	}
	var macs []string
	for i, network := range instance.Spec.Networks {
		macs = append(macs, cmp.Or(given[network.Name], generatedMAC(instance.UID, i)))
	}
	return macs
}

// generatedMAC is stable for an interface of an instance, and in the range that KVM uses.
func generatedMAC(instance types.UID, index int) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(string(instance) + strconv.Itoa(index))) // never fails
	n := sum.Sum32()
	return net.HardwareAddr{0x52, 0x54, 0x00, byte(n >> 16), byte(n >> 8), byte(n)}.String()
}
