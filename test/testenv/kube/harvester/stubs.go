package harvester

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// external are the kinds of other projects that Harvester's and KubeVirt's informers watch: each as "plural.group
// version Kind", one string per kind, to be read as a table. Those of snapshots are in the chart of later versions.
var external = map[string][]string{
	"Namespaced": {
		"network-attachment-definitions.k8s.cni.cncf.io v1 NetworkAttachmentDefinition",
		"clusters.fleet.cattle.io v1alpha1 Cluster",
		"clusters.cluster.x-k8s.io v1beta1 Cluster",
		"machines.cluster.x-k8s.io v1beta1 Machine",
		"managedcharts.management.cattle.io v3 ManagedChart",
		"flows.logging.banzaicloud.io v1beta1 Flow",
		"outputs.logging.banzaicloud.io v1beta1 Output",
		"clusterflows.logging.banzaicloud.io v1beta1 ClusterFlow",
		"clusteroutputs.logging.banzaicloud.io v1beta1 ClusterOutput",
		"volumes.longhorn.io v1beta2 Volume",
		"engines.longhorn.io v1beta2 Engine",
		"nodes.longhorn.io v1beta2 Node",
		"backingimages.longhorn.io v1beta2 BackingImage",
		"datavolumes.cdi.kubevirt.io v1beta1 DataVolume",
		"datasources.cdi.kubevirt.io v1beta1 DataSource",
		"volumesnapshots.snapshot.storage.k8s.io v1 VolumeSnapshot",
		"dataimportcrons.cdi.kubevirt.io v1beta1 DataImportCron",
	},
	"Cluster": {
		"features.management.cattle.io v3 Feature",
		"clusternetworks.network.harvesterhci.io v1beta1 ClusterNetwork",
		"vlanconfigs.network.harvesterhci.io v1beta1 VlanConfig",
		"vlanstatuses.network.harvesterhci.io v1beta1 VlanStatus",
		"volumesnapshotclasses.snapshot.storage.k8s.io v1 VolumeSnapshotClass",
		"volumesnapshotcontents.snapshot.storage.k8s.io v1 VolumeSnapshotContent",
		"storageprofiles.cdi.kubevirt.io v1beta1 StorageProfile",
		"cdiconfigs.cdi.kubevirt.io v1beta1 CDIConfig",
		"cdis.cdi.kubevirt.io v1beta1 CDI",
	},
}

// stubs are definitions without a schema: enough to be listed and watched, too little to refuse anything.
func stubs() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for scope, rows := range external {
		for _, row := range rows {
			f := strings.Fields(row)
			out = append(out, stub(scope, f[0], f[1], f[2]))
		}
	}
	return out
}

func stub(scope, name, version, kind string) *unstructured.Unstructured {
	plural, group, _ := strings.Cut(name, ".")
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		// Kubernetes wants this of kinds in its own groups.
		"metadata": map[string]any{"name": name,
			"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, a stub"}},
		"spec": map[string]any{
			"group": group,
			"scope": scope,
			"names": map[string]any{"kind": kind, "listKind": kind + "List", "plural": plural,
				"singular": strings.ToLower(kind)},
			"versions": []any{map[string]any{
				"name": version, "served": true, "storage": true,
				"subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{
					"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
}
