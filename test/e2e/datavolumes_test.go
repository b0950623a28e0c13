package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// Of an image of the backend cdi Harvester makes a DataVolume of the claim's name. One that has no claim yet, which
// is how all of them stay in an environment without CDI, goes with its member all the same.
func TestDataVolumesGoWithTheirMember(t *testing.T) {
	t.Parallel()
	const name = "by-cdi"
	create(t, newPool(name, 1, func(p *v1alpha1.NomadNodePool) { p.Spec.Template.Disks[0].Image = fixtures.ImageCDI }))
	eventually(t, name, "Harvester to make the DataVolume", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) != 1 || len(nodes[0].Status.Claims) != 1 {
				return fmt.Errorf("%d members", len(nodes))
			}
			volume := &unstructured.Unstructured{}
			volume.SetGroupVersionKind(schema.GroupVersionKind{Group: "cdi.kubevirt.io", Version: "v1beta1", Kind: "DataVolume"})
			return w.Client.Get(t.Context(), client.ObjectKey{Namespace: fixtures.Namespace, Name: nodes[0].Status.Claims[0]},
				volume)
		})
	if err := scale(t, name, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, name, "the member to go, and its DataVolume", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) > 0 {
				return errors.New("the member is still there")
			}
			volumes := &unstructured.UnstructuredList{}
			volumes.SetGroupVersionKind(
				schema.GroupVersionKind{Group: "cdi.kubevirt.io", Version: "v1beta1", Kind: "DataVolumeList"})
			if err := w.Client.List(t.Context(), volumes, client.InNamespace(fixtures.Namespace)); err != nil {
				return err
			}
			if len(volumes.Items) > 0 {
				return fmt.Errorf("%d DataVolumes are left", len(volumes.Items))
			}
			return nil
		})
}
