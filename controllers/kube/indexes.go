package kube

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// PoolUIDField is the field by which the cache finds NomadNodes. The cache copies each object that it returns, with its
// template, so listing a whole namespace for one of its pools would cost as much as for all of them.
//
// Only the cache has this index: the API server knows such fields from Kubernetes 1.31 on (selectableFields of a
// CRD), and kubectl refuses the field on one that doesn't know it. Harvester 1.4.0 has 1.29.
const PoolUIDField = "spec.poolUID"

// NodeIndexes are the indexes of NomadNodes, by field.
var NodeIndexes = map[string]client.IndexerFunc{
	PoolUIDField: func(o client.Object) []string { return []string{o.(*v1alpha1.NomadNode).Spec.PoolUID} },
}

// MembersOf are the members of a pool, by its UID, that the cache shows. They are the cache's own, so nobody may change
// them. Nobody can change that UID in their spec, whereas labels may be removed, and a pool that forgets a member makes
// another.
func MembersOf(ctx context.Context, cache client.Reader, namespace, poolUID string) ([]v1alpha1.NomadNode, error) {
	var l v1alpha1.NomadNodeList
	err := cache.List(ctx, &l, client.InNamespace(namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{PoolUIDField: poolUID})
	return l.Items, err
}

// AddIndexes adds NodeIndexes to the cache.
func AddIndexes(ctx context.Context, cache client.FieldIndexer) error {
	for field, of := range NodeIndexes {
		if err := cache.IndexField(ctx, &v1alpha1.NomadNode{}, field, of); err != nil {
			return fmt.Errorf("indexing NomadNodes by %s: %w", field, err)
		}
	}
	return nil
}
