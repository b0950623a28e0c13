// Package harvestertemplatetest has a version of a Harvester template, with everything that one can have, for tests.
package harvestertemplatetest

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate"
)

// testVersion is what "Generate template" makes of a VM that has run: with all that belongs to that VM alone.
const testVersion = `
metadata:
  creationTimestamp: null
  labels:
    harvesterhci.io/creator: harvester
    harvesterhci.io/os: debian
    harvesterhci.io/maintain-mode-strategy: Shutdown
    tag.harvesterhci.io/cost: ci
    nomad.harvesterhci.io/pool: other
    team: data
  annotations:
    harvesterhci.io/mac-address: '{"lan":"02:00:00:00:00:01"}'
    harvesterhci.io/removedPersistentVolumeClaims: old-disk-0
    harvesterhci.io/reservedMemory: 256Mi
    nomad.harvesterhci.io/member: other-1
    kubectl.kubernetes.io/last-applied-configuration: '{}'
    field.cattle.io/description: The build machine
    note: kept
    harvesterhci.io/volumeClaimTemplates: >-
      [{"metadata":{"name":"old-disk-1-b"},"spec":{"storageClassName":"harvester-longhorn","resources":{"requests":{"storage":"100Gi"}},"dataSource":{"kind":"VolumeSnapshot","name":"s"}}},
       {"metadata":{"name":"old-disk-0-a","annotations":{"harvesterhci.io/imageId":"default/image-x2k7p"}},"spec":{"storageClassName":"wrong","resources":{"requests":{"storage":"40Gi"}}},"targetVolume":"x"}]
spec:
  runStrategy: RerunOnFailure
  template:
    metadata:
      creationTimestamp: null
      labels: {harvesterhci.io/vmName: old, zone: a}
      annotations: {harvesterhci.io/sshNames: '[]'}
    spec:
      hostname: old
      affinity: {}
      accessCredentials: [{sshPublicKey: {source: {secret: {secretName: x}}, propagationMethod: {qemuGuestAgent: {users: [a]}}}}]
      evictionStrategy: LiveMigrate
      terminationGracePeriodSeconds: 30
      domain:
        machine: {type: q35}
        cpu: {cores: 2, sockets: 2, threads: 1, maxSockets: 1, model: host-passthrough}
        memory: {guest: 3996Mi}
        resources:
          limits: {cpu: "4", memory: 4Gi}
          requests: {cpu: 250m, memory: 2Gi}
        firmware:
          uuid: 5d307ca9-b3ef-428c-8861-06e72d69f223
          serial: abc
          bootloader: {efi: {secureBoot: true}}
        features: {acpi: {enabled: true}, smm: {enabled: true}}
        devices:
          tpm: {}
          inputs: [{name: tablet, type: tablet, bus: usb}]
          interfaces: [{name: lan, model: e1000, macAddress: "02:00:00:00:00:01", bridge: {}}, {name: san, model: virtio, binding: {name: managedtap}}]
          disks:
          - {name: disk-1, bootOrder: 2, disk: {bus: scsi}, cache: none}
          - {name: disk-0, bootOrder: 1, disk: {bus: virtio}}
          - {name: cloudinitdisk, disk: {bus: virtio}}
      networks:
      - {name: lan, multus: {networkName: default/vlan-120}}
      - {name: san, multus: {networkName: nomad-clients/storage}}
      volumes:
      - {name: disk-1, persistentVolumeClaim: {claimName: old-disk-1-b}}
      - {name: disk-0, persistentVolumeClaim: {claimName: old-disk-0-a}}
      - {name: cloudinitdisk, cloudInitNoCloud: {secretRef: {name: tv}, networkDataSecretRef: {name: tv}}}
`

// Version reads spec.vm of a version, changed by the edits: a path of dots, in which a zero byte stands for a dot in
// a key, and the YAML of the value, or none to delete it.
func Version(t *testing.T, edits ...[2]string) *harvestertemplate.Version {
	t.Helper()
	vm := Object(t, testVersion)
	for _, e := range edits {
		path := strings.Split(e[0], ".")
		for i := range path {
			path[i] = strings.ReplaceAll(path[i], "\x00", ".")
		}
		at := vm
		for _, key := range path[:len(path)-1] {
			at = at[key].(map[string]any)
		}
		if e[1] == "" {
			delete(at, path[len(path)-1])
			continue
		}
		var value any
		if err := yaml.Unmarshal([]byte(e[1]), &value); err != nil {
			t.Fatal(err)
		}
		at[path[len(path)-1]] = value
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"vm": vm, "keyPairIds": []any{blueprinttest.KeyPair},
	}}}
	v, err := harvestertemplate.VersionOf(obj, "default/build-1")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Object reads a document.
func Object(t *testing.T, doc string) map[string]any {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(j, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// Resolved is a template over a version, without problems.
func Resolved(t *testing.T, tmpl v1alpha1.NodeTemplate, v *harvestertemplate.Version) *v1alpha1.NodeTemplate {
	t.Helper()
	out, problems := harvestertemplate.Resolve(&tmpl, v)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return out
}

// Facts is a cluster in which the version has a cloud-init of its own.
func Facts() blueprint.Facts {
	f := blueprinttest.Facts()
	f.From = &blueprint.TemplateCloudInit{
		UserData:    "#cloud-config\npackages: [jq]\ntimezone: Europe/Berlin\nruncmd: [[template]]\n",
		NetworkData: "version: 2\n",
	}
	return f
}
