package manifests

import "strings"

const (
	anImage   = ` is not namespace/name of a VirtualMachineImage`
	aNetwork  = ` is not namespace/name of a network`
	aKeyPair  = ` is not namespace/name of a KeyPair`
	aTemplate = ` is not namespace/name of a VirtualMachineTemplate or VirtualMachineTemplateVersion`
	platform  = `: keys of harvesterhci.io, kubevirt.io and cattle.io belong to the platform; choose another prefix`
)

var badVM = []bad{
	{"spec.template: {}", `cpu is missing: set it, or take it from a Harvester template with spec.template.from`},
	{"spec.template.cpu: 0", `spec.template.cpu: Invalid value: 0: spec.template.cpu in body should be greater than or equal to 1`},
	{"spec.template.cpu: 257", `spec.template.cpu: Invalid value: 257: spec.template.cpu in body should be less than or equal to 256`},
	{"spec.template.cpu: 500m", `spec.template.cpu: Invalid value: "string"`},
	{"spec.template.memory: -", `memory is missing: set it, or take it from a Harvester template with spec.template.from`},
	{"spec.template.memory: '4'", `memory: "4" is less than 128Mi, and no guest boots with so little; use a quantity such as 8Gi`},
	{"spec.template.memory: 8GB", `spec.template.memory`},
	{"spec.template.memory: -8Gi", `memory: "-8Gi" is less than 128Mi`},
	{"spec.template.os: Ubuntu", `spec.template.os: Unsupported value: "Ubuntu": supported values: "windows", "linux"`},
	{"spec.template.description: " + strings.Repeat("d", 1025), `spec.template.description: Too long: may not be more than 1024`},
	{"spec.template.labels: {harvesterhci.io/vmName: x}", `labels` + platform},
	{"spec.template.annotations: {kubevirt.io/x: x}", `annotations` + platform},
	{"spec.template.annotations: {nomad.harvesterhci.io/member: x}", `annotations` + platform},
	{"spec.template.from: {kind: Template, name: default/a}", `spec.template.from.kind: Unsupported value: "Template": supported values: "VirtualMachineTemplate", "VirtualMachineTemplateVersion"`},
	{"spec.template.from: {kind: VirtualMachineTemplate, name: a}", `name: "a"` + aTemplate},
	{"spec.template.from: {kind: VirtualMachineTemplate, name: ../a}", `name: "../a"` + aTemplate},
	{"spec.template.virtualMachine: external", `spec.template.virtualMachine: Invalid value: "string"`},
	{"spec.template.vm: {}", `unknown field "spec.template.vm"`},
}

var badDisks = []bad{
	{"spec.template.disks: -", `disks is missing: name at least the root disk, or take the disks from a Harvester template with spec.template.from`},
	{"spec.template.disks: []", `spec.template.disks: Invalid value: 0: spec.template.disks in body should have at least 1 items`},
	{"spec.template.disks: [{name: data, size: 10Gi, storageClassName: lh}]", `disks[0].image is missing: the first disk is the root disk; name the VirtualMachineImage that the VM boots from`},
	{"spec.template.disks.0.image: -", `disk "root": set either image (a disk filled from a VirtualMachineImage) or storageClassName (an empty disk)`},
	{"spec.template.disks.0.storageClassName: lh", `disk "root": set either image`},
	{"spec.template.disks.0.name: -", `spec.template.disks[0].name: Required value`},
	{"spec.template.disks.0.name: Root", `spec.template.disks[0].name: Invalid value: "Root"`},
	{"spec.template.disks.0.name: " + strings.Repeat("d", 16), `spec.template.disks[0].name: Too long: may not be more than 15`},
	{"spec.template.disks.0.size: -", `spec.template.disks[0].size: Required value`},
	{"spec.template.disks.0.size: '0'", `size: "0" must be more than 0; use a quantity such as 40Gi`},
	{"spec.template.disks.0.size: 40 GB", `spec.template.disks[0].size`},
	{"spec.template.disks.0.image: image-x2k7p", `image: "image-x2k7p"` + anImage},
	{"spec.template.disks.0.image: Debian 13/image", `image: "Debian 13/image"` + anImage},
	{"spec.template.disks.0.image: default/..", `image: "default/.."` + anImage},
	{"spec.template.disks.0.image: default/50%", `image: "default/50%"` + anImage},
	{"spec.template.disks.0.image: a/b/c", `image: "a/b/c"` + anImage},
	{"spec.template.disks: [{name: a, size: 20Gi, image: d/i}, {name: a, size: 1Gi, storageClassName: lh}]", `spec.template.disks[1]: Duplicate value`},
	{"spec.template.disks: [{name: a, size: 20Gi, image: d/i}, {name: b, size: 1Gi, storageClassName: a/b}]", `storageClassName: "a/b" is not the name of a StorageClass; use lower-case letters, digits, dashes and dots (kubectl get storageclasses)`},
}

var badNetworks = []bad{
	{"spec.template.networks: -", `networks is missing: name at least one, or take the networks from a Harvester template with spec.template.from`},
	{"spec.template.networks: []", `spec.template.networks: Invalid value: 0: spec.template.networks in body should have at least 1 items`},
	{"spec.template.networks: [{}]", `networks: name is missing; give that of a VLAN network, as namespace/name, or set type to Management`},
	{"spec.template.networks: [{name: vlan-120}]", `name: "vlan-120"` + aNetwork},
	{"spec.template.networks: [{name: default/VLAN}]", `name: "default/VLAN"` + aNetwork},
	{"spec.template.networks: [{type: Management, name: default/vlan-120}]", `networks: type Management is one network and has no name; leave name out`},
	{"spec.template.networks: [{type: Management}, {type: Management}]", `networks: a VM can have the management network only once`},
	{"spec.template.networks: [{type: Bridge, name: default/vlan-120}]", `spec.template.networks[0].type: Unsupported value: "Bridge": supported values: "VLAN", "Management"`},
	{"spec.template.networks: [{management: true}]", `unknown field "spec.template.networks[0].management"`},
	{"spec.template.sshKeys: [ops]", `sshKeys: "ops"` + aKeyPair},
	{"spec.template.sshKeys: ['ssh-ed25519 AAAA me@host']", `sshKeys: "ssh-ed25519 AAAA me@host"` + aKeyPair},
}

var badCloudInit = []bad{
	{"spec.template.cloudInit: {userData: x, userDataSecretRef: {name: a, key: b}}", `cloudInit: set userData or userDataSecretRef, not both`},
	{"spec.template.cloudInit: {networkData: x, networkDataSecretRef: {name: a, key: b}}", `cloudInit: set networkData or networkDataSecretRef, not both`},
	{"spec.template.cloudInit: {userDataSecretRef: {name: a}}", `spec.template.cloudInit.userDataSecretRef.key: Required value`},
	{"spec.template.cloudInit: {userDataSecretRef: {name: a, key: b/c}}", `key: "b/c" is not a key that a Secret can have; use letters, digits, dashes, dots and underscores`},
	{"spec.template.cloudInit: {networkDataSecretRef: {name: a/b, key: c}}", `name: "a/b"` + aSecret},
	{"spec.template.cloudInit.userData: " + strings.Repeat("d", 65537), `spec.template.cloudInit.userData: Too long: may not be more than 65536`},
	{"spec.template.cloudInit.networkData: [version]", `spec.template.cloudInit.networkData: Invalid value: "array"`},
	{"spec.template.cloudInit.guestAgent: please", `spec.template.cloudInit.guestAgent: Invalid value: "string"`},
}

var badNodes = []bad{
	{"spec.nodeID: abc", `spec.nodeID: Invalid value: "abc"`},
	{"spec.poolName: ''", `spec.poolName`},
	{"spec.poolUID: -", `spec.poolUID: Required value`},
	{"spec.revision: " + strings.Repeat("r", 64), `spec.revision: Too long: may not be more than 63`},
	{"spec.health.joinTimeout: soon", `spec.health.joinTimeout: Invalid value: "soon"`},
	{"spec.health.joinTimeout: 9999999999h", `joinTimeout: it is ` + longer + `10m`},
	{"spec.scaleIn.drain.onTimeout: Maybe", `spec.scaleIn.drain.onTimeout: Unsupported value: "Maybe"`},
	{"spec.drain: {}", `spec.drain.id: Required value`},
	{"spec.drain: {id: d, reason: ScaleIn, requestTime: '2026-03-01T12:00:00Z', deadlineTime: '2026-03-01t12:00:00z'}", `spec.drain.deadlineTime: Invalid value: "2026-03-01t12:00:00z"`},
	{"spec.drain: {id: d, reason: ScaleIn, requestTime: '2026-03-01T12:00:00z', deadlineTime: '2026-03-01T12:00:00Z'}", `spec.drain.requestTime: Invalid value: "2026-03-01T12:00:00z"`},
	{"spec.drain: {id: d, reason: ScaleIn, requestTime: '2026-03-01T12:00:00Z', deadlineTime: '2026-03-01T12:00:00Z', canceledTime: now}", `spec.drain.canceledTime: Invalid value: "now"`},
	{"spec.drain: {id: d, reason: ScaleIn, requestTime: '2026-03-01T12:00:00Z', deadlineTime: '2026-03-01T12:00:00Z', onlyIf: Busy}", `spec.drain.onlyIf: Unsupported value: "Busy"`},
	{"spec.drain: {id: d, reason: ScaleIn, requestTime: '2026-03-01T12:00:00Z', deadlineTime: '2026-03-01T12:00:00Z', onlyIf: LeastBusy}", `onlyIf: "LeastBusy" can not become untrue; use Empty or EmptyIgnoreSystem`},
	{"spec.replicas: 1", `unknown field "spec.replicas"`},
}
