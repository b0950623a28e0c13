package controllers

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// usedKeys are the labels and annotations by which the controllers decide, of pools, members, VMs and instances.
var usedKeys = []string{
	v1alpha1.PoolLabel, v1alpha1.NodeLabel, v1alpha1.RevisionLabel, v1alpha1.PoolUIDAnnotation,
	v1alpha1.MemberAnnotation, v1alpha1.NodeIDAnnotation, v1alpha1.DeleteNextAnnotation, v1alpha1.ProtectAnnotation,
	v1alpha1.AllowDeleteAnnotation, v1alpha1.RetryJoinsAnnotation,
	nodestate.AboveQuotaAnnotation, nodestate.RemovedClaimsAnnotation, node.RunStrategyAnnotation,
}

// dropOtherKeys takes the labels and annotations off that nobody here uses, and shortens the others. Whoever may write
// an object, or mark a VM as a member, may put 256 KiB of them onto each.
func dropOtherKeys(m *metav1.ObjectMeta) {
	m.Labels, m.Annotations = used(m.Labels), used(m.Annotations)
}

// used are the used keys, in a new map: one from which keys are deleted keeps its size.
func used(all map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range all {
		if slices.Contains(usedKeys, key) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = kube.Clamp(value, kube.MaxMessage)
		}
	}
	return kept
}
