package kube

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// PatchNodeStatus writes the status of a member and returns the member as written. It fails with a conflict if somebody
// else has written since the member was read. Only the identity and the status are compared, because templates are
// large and the status is written most often.
func PatchNodeStatus(ctx context.Context, c client.Client, n *v1alpha1.NomadNode,
	status v1alpha1.NomadNodeStatus) (*v1alpha1.NomadNode, error) {
	before := &v1alpha1.NomadNode{ObjectMeta: identity(&n.ObjectMeta), Status: n.Status}
	after := &v1alpha1.NomadNode{ObjectMeta: identity(&n.ObjectMeta), Status: status}
	if err := c.Status().Patch(ctx, after, Locked(before)); err != nil {
		return nil, err
	}
	return after, nil
}

// PatchPoolStatus is PatchNodeStatus for pools.
func PatchPoolStatus(ctx context.Context, c client.Client, p *v1alpha1.NomadNodePool,
	status v1alpha1.NomadNodePoolStatus) (*v1alpha1.NomadNodePool, error) {
	before := &v1alpha1.NomadNodePool{ObjectMeta: identity(&p.ObjectMeta), Status: p.Status}
	after := &v1alpha1.NomadNodePool{ObjectMeta: identity(&p.ObjectMeta), Status: status}
	if err := c.Status().Patch(ctx, after, Locked(before)); err != nil {
		return nil, err
	}
	return after, nil
}

func identity(o *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion}
}

// Locked is a patch that fails with a conflict if the object has changed since before was read.
func Locked(before client.Object) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}
