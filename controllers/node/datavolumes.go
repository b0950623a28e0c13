package node

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// dataVolumeKind is the kind with which Harvester makes the disks of images of the backend cdi: Harvester makes a
// DataVolume of the claim's name, and CDI makes the claim. Harvester:
// pkg/controller/master/virtualmachine/vm_controller.go, createDataVolume.
var dataVolumeKind = schema.GroupVersionKind{Group: "cdi.kubevirt.io", Version: "v1beta1", Kind: "DataVolume"}

// +kubebuilder:rbac:groups=cdi.kubevirt.io,resources=datavolumes,verbs=get;delete,roleName=nomad-harvester-controller-namespaces

// observeDataVolumes adds the DataVolumes of the member's claims to the claims of a member that is being removed. With
// the VM Harvester removes the claims that its annotation lists. A DataVolume goes with its claim, but a DataVolume
// without a claim would stay, and make the claim later.
func (r *Reconciler) observeDataVolumes(ctx context.Context, s *scope) error {
	for _, name := range nodestate.ClaimsOf(s.node) {
		volume := dataVolume()
		err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.node.Namespace, Name: name}, volume)
		switch {
		case apierrors.IsNotFound(err) || meta.IsNoMatchError(err): // or there is no CDI
			continue
		case err != nil:
			return fmt.Errorf("reading DataVolume %s: %w", name, err)
		}
		if volume.DeletionTimestamp == nil {
			s.dataVolumes = append(s.dataVolumes, name)
		}
		if !slices.ContainsFunc(s.observed.Claims, func(c nodestate.Claim) bool { return c.Name == name }) {
			c := nodestate.Claim{Name: name, Deleting: volume.DeletionTimestamp != nil, Finalizers: volume.Finalizers}
			if c.Deleting {
				c.DeletingSince = volume.DeletionTimestamp.Time
			}
			s.observed.Claims = append(s.observed.Claims, c)
		}
	}
	return nil
}

func (r *Reconciler) deleteDataVolumes(ctx context.Context, s *scope) []error {
	var errs []error
	for _, name := range s.dataVolumes {
		volume := dataVolume()
		volume.Namespace, volume.Name = s.node.Namespace, name
		errs = append(errs, client.IgnoreNotFound(r.Client.Delete(ctx, volume)))
	}
	return errs
}

func dataVolume() *metav1.PartialObjectMetadata {
	volume := &metav1.PartialObjectMetadata{}
	volume.SetGroupVersionKind(dataVolumeKind)
	return volume
}
