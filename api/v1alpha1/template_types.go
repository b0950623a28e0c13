package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// NodeTemplate is the virtual machine of a member, in Harvester's terms.
//
// +kubebuilder:validation:XValidation:rule="has(self.cpu) || has(self.from)",fieldPath=".cpu",reason=FieldValueRequired,message="cpu is missing: set it, or take it from a Harvester template with spec.template.from"
// +kubebuilder:validation:XValidation:rule="has(self.memory) || has(self.from)",fieldPath=".memory",reason=FieldValueRequired,message="memory is missing: set it, or take it from a Harvester template with spec.template.from"
// +kubebuilder:validation:XValidation:rule="has(self.disks) || has(self.from)",fieldPath=".disks",reason=FieldValueRequired,message="disks is missing: name at least the root disk, or take the disks from a Harvester template with spec.template.from"
// +kubebuilder:validation:XValidation:rule="has(self.networks) || has(self.from)",fieldPath=".networks",reason=FieldValueRequired,message="networks is missing: name at least one, or take the networks from a Harvester template with spec.template.from"
type NodeTemplate struct {
	// from is a template of Harvester's for whatever isn't set here: cpu, memory, os, description, disks (all or none),
	// networks (all or none), sshKeys (all or none), cloud-init, labels, annotations and the rest of the VM. What is set
	// here is laid over it. In a NomadNode it is the version that the member was made from.
	// +optional
	From *TemplateSource `json:"from,omitempty"`

	// cpu is the number of virtual CPUs (cores of one socket).
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	// +optional
	CPU int32 `json:"cpu,omitempty"`

	// memory is the guest's memory limit, such as 8Gi.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('128Mi')) >= 0",messageExpression="'memory: \"%s\" is less than 128Mi, and no guest boots with so little; use a quantity such as 8Gi'.format([self])"
	// +optional
	Memory resource.Quantity `json:"memory,omitzero"`

	// os is the guest's operating system in Harvester's spelling; it sets the icon and defaults in Harvester's UI. Unset:
	// linux, or what the Harvester template says.
	// +kubebuilder:validation:Enum=windows;linux;SLEs;debian;fedora;gentoo;oracle;redhat;openSUSE;ubuntu;otherLinux
	// +optional
	OS string `json:"os,omitempty"`

	// description is shown under the VM's name in Harvester's UI; unset: a sentence naming the pool.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Description string `json:"description,omitempty"`

	// disks are the VM's disks; the first one is the root disk and needs an image. Their data goes with the member.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=12
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:XValidation:rule="has(self[0].image)",message="disks[0].image is missing: the first disk is the root disk; name the VirtualMachineImage that the VM boots from"
	// +optional
	Disks []Disk `json:"disks,omitempty"`

	// networks are the VM's networks, each a VLAN network of Harvester. The members need addresses of their own that the
	// Nomad servers can reach. The first one is that at which Nomad knows the client.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.filter(n, n.type == 'Management').size() <= 1",message="networks: a VM can have the management network only once"
	// +optional
	Networks []Network `json:"networks,omitempty"`

	// sshKeys are Harvester key pairs, as namespace/name, whose public keys may log in to the guest.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="sshKeys: it has a line break in it; leave that out",messageExpression="'sshKeys: \"%s\" is not namespace/name of a KeyPair'.format([self])"
	// +optional
	SSHKeys []string `json:"sshKeys,omitempty"`

	// cloudInit is added to the cloud-init that a Nomad client needs.
	// +kubebuilder:default={}
	// +optional
	CloudInit CloudInit `json:"cloudInit,omitempty"`

	// labels are put on the VM and its instances. Keys of the controller, Harvester and KubeVirt are refused, but for
	// harvesterhci.io/maintain-mode-strategy and those of tag.harvesterhci.io.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k == 'harvesterhci.io/maintain-mode-strategy' || k.startsWith('tag.harvesterhci.io/') || !k.matches('(^|[.])(harvesterhci[.]io|kubevirt[.]io|cattle[.]io)/'))",message="labels: keys of harvesterhci.io, kubevirt.io and cattle.io belong to the platform; choose another prefix"
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// annotations are put on the VM. Keys of the controller, Harvester and KubeVirt are refused, but for
	// harvesterhci.io/reservedMemory.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k == 'harvesterhci.io/reservedMemory' || !k.matches('(^|[.])(harvesterhci[.]io|kubevirt[.]io|cattle[.]io)/'))",message="annotations: keys of harvesterhci.io, kubevirt.io and cattle.io belong to the platform; choose another prefix"
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// virtualMachine is laid over the rendered VM's spec: a KubeVirt VirtualMachineSpec with only the fields to change.
	// Misspelt fields, and those that the pool depends on, are refused. It may have 16 KiB.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MaxProperties=16
	// +optional
	VirtualMachine *runtime.RawExtension `json:"virtualMachine,omitempty"`
}

// OperatingSystems are the spellings of NodeTemplate.OS (Harvester UI: mixins/harvester-vm/impl.js, OS).
var OperatingSystems = []string{
	"windows",
	"linux",
	"SLEs",
	"debian",
	"fedora",
	"gentoo",
	"oracle",
	"redhat",
	"openSUSE",
	"ubuntu",
	"otherLinux",
}

// The kinds of Harvester templates.
const (
	// KindTemplate is a template whose default version is followed: choosing another one in Harvester's UI is a change of
	// the pool's template.
	KindTemplate = "VirtualMachineTemplate"
	// KindTemplateVersion is one version, which never changes.
	KindTemplateVersion = "VirtualMachineTemplateVersion"
)

// TemplateSource names a template of Harvester's.
type TemplateSource struct {
	// kind is VirtualMachineTemplate, whose default version is followed, so that choosing another one in Harvester's UI
	// replaces the members as any change of the template does; or VirtualMachineTemplateVersion, which never changes.
	// +kubebuilder:validation:Enum=VirtualMachineTemplate;VirtualMachineTemplateVersion
	// +required
	Kind string `json:"kind"`
	// name of the template or version, as namespace/name.
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: it has a line break in it; leave that out",messageExpression="'name: \"%s\" is not namespace/name of a VirtualMachineTemplate or VirtualMachineTemplateVersion'.format([self])"
	// +required
	Name string `json:"name"`
}

// Disk is a disk of a VM. Exactly one of image and storageClassName says what it is made of.
//
// +kubebuilder:validation:XValidation:rule="has(self.image) != has(self.storageClassName)",messageExpression="'disk \"%s\": set either image (a disk filled from a VirtualMachineImage) or storageClassName (an empty disk)'.format([self.name])"
type Disk struct {
	// name of the disk, unique within the template.
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$`
	// +required
	Name string `json:"name"`
	// size of the disk, such as 40Gi; at least the image's virtual size.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",messageExpression="'size: \"%s\" must be more than 0; use a quantity such as 40Gi'.format([self])"
	// +required
	Size resource.Quantity `json:"size"`
	// image is the VirtualMachineImage that fills the disk, as namespace/name (image-xxxxx, not the display name).
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="image: it has a line break in it; leave that out",messageExpression="'image: \"%s\" is not namespace/name of a VirtualMachineImage'.format([self])"
	// +optional
	Image string `json:"image,omitempty"`
	// storageClassName is the storage class of an empty disk.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="storageClassName: it has a line break in it; leave that out",messageExpression="'storageClassName: \"%s\" is not the name of a StorageClass; use lower-case letters, digits, dashes and dots (kubectl get storageclasses)'.format([self])"
	// +optional
	StorageClassName string `json:"storageClassName,omitempty"`
}

// NetworkType says what kind of network of Harvester's it is.
//
// +kubebuilder:validation:Enum=VLAN;Management
type NetworkType string

// The types.
const (
	// NetworkVLAN is a NetworkAttachmentDefinition, bridged: the guest has an address of its own.
	NetworkVLAN NetworkType = "VLAN"
	// NetworkManagement is Harvester's management network, by masquerade.
	NetworkManagement NetworkType = "Management"
)

// Network is a network of a VM.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Management' ? !has(self.name) : has(self.name)",messageExpression="self.type == 'Management' ? 'networks: type Management is one network and has no name; leave name out' : 'networks: name is missing; give that of a VLAN network, as namespace/name, or set type to Management'"
type Network struct {
	// type is VLAN (the network that name says) or Management.
	// Management is Harvester's management network, by masquerade. Every guest has the same address in it, 10.0.2.2, and
	// tells it to Nomad: nobody reaches the guest or the services on it, Nomad's servers reach it only over the
	// connection that it has opened, and its address changes with each migration. For jobs that only reach out, where
	// there is no VLAN.
	// The default is VLAN.
	// +unionDiscriminator
	// +kubebuilder:default=VLAN
	// +optional
	Type NetworkType `json:"type,omitempty"`
	// name of the NetworkAttachmentDefinition, as namespace/name; required with type VLAN, and not allowed otherwise.
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: it has a line break in it; leave that out",messageExpression="'name: \"%s\" is not namespace/name of a network'.format([self])"
	// +optional
	Name string `json:"name,omitempty"`
}

// CloudInit is what the user adds to a member's cloud-init.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.userData) && has(self.userDataSecretRef))",message="cloudInit: set userData or userDataSecretRef, not both"
// +kubebuilder:validation:XValidation:rule="!(has(self.networkData) && has(self.networkDataSecretRef))",message="cloudInit: set networkData or networkDataSecretRef, not both"
type CloudInit struct {
	// userData is a #cloud-config document that is merged with the controller's: lists are appended, and where both set
	// the same thing, what Nomad needs wins. Your runcmd runs before Nomad starts, in a shell of its own.
	// In a pool it has at most 16 KiB: more goes into a Secret. Whoever may read pools can read it, so passwords go
	// there as well.
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	UserData string `json:"userData,omitempty"`
	// userDataSecretRef names a key of a Secret in the pool's namespace that holds the userData.
	// +optional
	UserDataSecretRef *SecretKeyRef `json:"userDataSecretRef,omitempty"`
	// networkData is a NoCloud network configuration (version 1 or 2); unset: DHCP. A template with several networks needs
	// an image that uses netplan for that, as Debian's and Ubuntu's do; the default route is then the first network's, and
	// its address the one at which Nomad knows the client.
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	NetworkData string `json:"networkData,omitempty"`
	// networkDataSecretRef names a key of a Secret in the pool's namespace that holds the networkData.
	// +optional
	NetworkDataSecretRef *SecretKeyRef `json:"networkDataSecretRef,omitempty"`
	// guestAgent installs and starts qemu-guest-agent, without which Harvester can't show the VM's address. The guest
	// installs it before it joins Nomad: if it can't reach its distribution's packages, that takes minutes longer.
	// false: the image has it already, or has no way to install packages.
	// The default is false.
	// +kubebuilder:default=false
	// +optional
	GuestAgent bool `json:"guestAgent,omitempty"`
}

// SecretKeyRef names a key of a Secret in the same namespace.
type SecretKeyRef struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: it has a line break in it; leave that out",messageExpression="'name: \"%s\" is not the name of a Secret; use lower-case letters, digits, dashes and dots'.format([self])"
	// +required
	Name string `json:"name"`
	// key in the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key: it has a line break in it; leave that out",messageExpression="'key: \"%s\" is not a key that a Secret can have; use letters, digits, dashes, dots and underscores'.format([self])"
	// +required
	Key string `json:"key"`
}
