package hypervisor

import (
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
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
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

// generatedMAC is stable for an interface of an instance, and in the range that KVM uses.
func generatedMAC(instance types.UID, index int) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(string(instance) + strconv.Itoa(index))) // never fails
	n := sum.Sum32()
	return net.HardwareAddr{0x52, 0x54, 0x00, byte(n >> 16), byte(n >> 8), byte(n)}.String()
}
