package pool

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// replicasAlone are the fields of somebody who owns spec.replicas, as far as anybody here asks.
var replicasAlone = metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)

// OwnersOfReplicas leaves of a pool's managedFields who owns spec.replicas, which scaledBy and keepReplicas ask. Of the
// others one stays, without its fields: nobody else says that the pool was read with managedFields.
func OwnersOfReplicas(all []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	var owners []metav1.ManagedFieldsEntry
	for _, f := range all {
		if f.Subresource != "status" && ownsReplicas(f.FieldsV1) {
			f.FieldsV1 = replicasAlone
			owners = append(owners, f)
		}
	}
	if len(owners) == 0 && len(all) > 0 {
		other := all[0]
		other.FieldsV1 = nil
		owners = append(owners, other)
	}
	return owners
}
