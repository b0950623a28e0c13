package manifests

import "strings"

// badTemplates can't be told from good ones without the cluster, or by the rules of an API server.
var badTemplates = []bad{
	{"spec.template.disks.0.image: default/gone", `VirtualMachineImage "default/gone" doesn't exist`},
	{"spec.template.disks.0.image: default/importing", `it isn't imported yet`},
	{"spec.template.disks.0.size: 5Gi", `5Gi is less than the virtual size of VirtualMachineImage "default/image-x2k7p"`},
	{"spec.template.disks: [{name: a, size: 20Gi, image: default/image-x2k7p}, {name: b, size: 1Gi, storageClassName: gone}]", `spec.template.disks[1].storageClassName: StorageClass "gone" doesn't exist`},
	{"spec.template.networks: [{name: default/gone}]", `NetworkAttachmentDefinition "default/gone" doesn't exist`},
	{"spec.template.networks: [{name: default/down}]", `has the label network.harvesterhci.io/ready=false`},
	{"spec.template.sshKeys: [default/gone]", `KeyPair "default/gone" doesn't exist`},
	{"spec.template.sshKeys: [default/empty]", `KeyPair "default/empty" has no spec.publicKey; set it or name another`},
	{"spec.template.sshKeys: [default/broken]", `Harvester can't read the public key of KeyPair "default/broken"`},
	{"spec.template.cloudInit.userDataSecretRef: {name: gone, key: user}", `Secret "gone" doesn't exist in the pool's namespace; create it or name another`},
	{"spec.template.cloudInit.userDataSecretRef: {name: site, key: gone}", `Secret "site" has no key "gone"; add it or name another`},
	{"spec.template.cloudInit.userDataSecretRef: {name: token, key: token}", `is the token of a Kubernetes service account, which isn't given to guests`},
	{"spec.template.cloudInit.userData: '#!/bin/sh'", `the first line is not #cloud-config`},
	{"spec.template.cloudInit.userData: \"#cloud-config\\na: [\"", `not valid YAML`},
	{"spec.template.cloudInit.userData: \"#cloud-config\\na: 1\\na: 2\"", `a key that the same mapping has already`},
	{"spec.template.cloudInit.networkData: '[]'", `it is not a mapping of keys to values`},
	{"spec.template.cloudInit.networkData: '{version: 2, ethernets: {e: {addresses: [10.0.0.5/24]}}}'", `each member of the pool would have the address 10.0.0.5/24`},
	{"spec.template.virtualMachine: {template: {spec: {evictionStrategie: External}}}", `template.spec.evictionStrategie`},
	{"spec.nomad.clientTLSSecretRef: {name: gone}", `Secret "gone" doesn't exist in the pool's namespace; create it or name another`},
	{"spec.nomad.reserved: {memory: 4Gi}", `spec.nomad.reserved.memory: 4Gi leaves nothing of the VM's 4Gi for jobs; use less`},
	{"spec.template.labels: {'a b': c}", `spec.template.labels: "a b"`},
	{"spec.template.labels: {a: 'b c'}", `spec.template.labels: a: "b c"`},
	{"spec.template.labels: {a: " + strings.Repeat("v", 64) + "}", `spec.template.labels: a`},
	{"spec.template.annotations: {'a b': c}", `spec.template.annotations: "a b"`},
}
