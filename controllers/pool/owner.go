package pool

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// replicasKeeper is the field manager under which the controller holds replicas that nobody owns.
const replicasKeeper = "nomad-harvester-replicas-keeper"

// keepReplicas fills in a pool's replicas when they are not set, so that its scale can be read, and makes the
// controller their owner when nobody is, which is so after a scaling to 0. The API server would record no later
// scaling otherwise: it tracks who changes a field only where somebody is recorded already (Kubernetes:
// managedfields, skipNonAppliedManager, on the owners that a Scale has). The number stays as it is, and whoever
// scales next takes it over.
func keepReplicas(ctx context.Context, c client.Client, p *v1alpha1.NomadNodePool) error {
	// Who reads pools without managedFields can't tell.
	if p.DeletionTimestamp != nil || len(p.ManagedFields) == 0 || p.Spec.Replicas != nil && scaledBy(p) != "" {
		return nil
	}
	data, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "NomadNodePool",
		"metadata": map[string]any{"namespace": p.Namespace, "name": p.Name, "resourceVersion": p.ResourceVersion},
		"spec":     map[string]any{"replicas": p.DesiredReplicas()},
	})
	if err != nil {
		return fmt.Errorf("encode the pool's replicas: %w", err)
	}
	err = c.Patch(ctx, p.DeepCopy(), client.RawPatch(types.ApplyPatchType, data), client.FieldOwner(replicasKeeper))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // somebody else wrote to it; what they wrote is reconciled next
	}
	if err != nil {
		return fmt.Errorf("keep the replicas of %s/%s: %w", p.Namespace, p.Name, err)
	}
	return nil
}
