package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// NomadSpec says which Nomad cluster the members join, as what, and how the controller talks to it.
type NomadSpec struct {
	NomadConnection `json:",inline"`
	NomadClient     `json:",inline"`
}

// NomadConnection is how the controller talks to Nomad. A change takes effect at once for members that are in the
// cluster that it leads to then. Those that are in another stay there, are asked for there with the credentials that
// they had, and are replaced as in a rollout.
type NomadConnection struct {
	// address is the URL of Nomad's HTTP API, such as https://nomad.example.com:4646; unset: the controller's own
	// NOMAD_ADDR. The controller's operator says which others there may be.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?[.]?|[[][0-9a-fA-F:.]+[]])(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9][0-9]|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?/?$')",message="address: it has a line break in it; leave that out",messageExpression="'address: \"%s\" is not the URL of a Nomad API; use http://host:port or https://host:port, usually with port 4646'.format([self])"
	// +optional
	Address string `json:"address,omitempty"`

	// region is the Nomad region, the controller's and the members'; unset: "global", as Nomad has it.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:space:][:cntrl:]]')",message="region: it has a line break in it; leave that out",messageExpression="'region: \"%s\" has white space in it; use the name of a region alone, such as global'.format([self])"
	// +optional
	Region string `json:"region,omitempty"`

	// credentialsSecretRef names a Secret in the pool's namespace with the keys token, ca.crt, tls.crt, tls.key and
	// tls-server-name (the name in the servers' certificate, such as server.global.nomad), each of them optional. Unset,
	// and address is unset or the controller's own: the controller's own NOMAD_TOKEN, NOMAD_CLIENT_CERT and
	// NOMAD_CLIENT_KEY, if its operator lets the namespace use them; they are never sent to another address. The token
	// needs node write and, in every namespace, read-job.
	// +optional
	CredentialsSecretRef *SecretRef `json:"credentialsSecretRef,omitempty"`
}

// FormerNomad is a Nomad that a pool has led to.
type FormerNomad struct {
	NomadConnection `json:",inline"`
	// joined is true if a member with the same servers was found there: these do lead to it. Then its introduction tokens
	// are used.
	// +optional
	Joined bool `json:"joined,omitempty"`
}

// SecretRef names a Secret in the same namespace.
type SecretRef struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name: it has a line break in it; leave that out",messageExpression="'name: \"%s\" is not the name of a Secret; use lower-case letters, digits, dashes and dots'.format([self])"
	// +required
	Name string `json:"name"`
}

// NomadClient is what the members are in Nomad: the configuration that is rendered into their cloud-init. It is part of
// the revision.
type NomadClient struct {
	// servers are the addresses of Nomad servers that the members join, as host or host:port (4647).
	// The longest is a DNS name of 253 characters and a port.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=259
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?[.]?|[[][0-9a-fA-F:.]+[]])(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9][0-9]|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?$')",message="servers: it has a line break in it; leave that out",messageExpression="'servers: \"%s\" is not a host or host:port; name Nomad servers, whose RPC port is usually 4647'.format([self])"
	// +required
	Servers []string `json:"servers"`

	// nodePool is Nomad's node pool; unset: "default".
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9_-]{1,128}$') && self != 'all'",message="nodePool: it has a line break in it; leave that out",messageExpression="'nodePool: \"%s\" is not a node pool that a client can be in; use 1 to 128 letters, digits, dashes and underscores, and not \"all\"'.format([self])"
	// +optional
	NodePool string `json:"nodePool,omitempty"`

	// nodeClass is the client's node class; unset: the pool's name. The autoscaler's nomad-apm selects by it, so give
	// each pool its own.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	NodeClass string `json:"nodeClass,omitempty"`

	// datacenter is the client's datacenter; unset: "dc1".
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Datacenter string `json:"datacenter,omitempty"`

	// meta is added to the client's meta.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k != '')",message="meta: a key is empty; give it a name, or leave it out"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('harvester_'))",message="meta: keys that begin with harvester_ belong to the controller; choose another name"
	// +optional
	Meta map[string]string `json:"meta,omitempty"`

	// reserved is what a client keeps from jobs, for the rest of its guest; unset: nothing, as Nomad has it.
	// +optional
	Reserved *NomadReserved `json:"reserved,omitempty"`

	// install says how Nomad gets into the guest; unset: the image has it, with its systemd unit, and nothing has to be
	// reached for it.
	// +optional
	Install *NomadInstall `json:"install,omitempty"`

	// clientTLSSecretRef names a Secret in the pool's namespace with the keys ca.crt, tls.crt and tls.key, with which the
	// members and Nomad's servers trust each other; unset: no TLS. The certificate needs the name client.REGION.nomad,
	// unless the servers don't verify names (tls.verify_server_hostname).
	// Whoever may read Secrets in the namespace, or the VM's disks, can read it: don't give the controller's own.
	// +optional
	ClientTLSSecretRef *SecretRef `json:"clientTLSSecretRef,omitempty"`

	// introductionToken says if members get a Nomad client introduction token (Nomad 1.11 and later): Auto when the
	// server has them, Always, or Never. With Auto a member that is made while Nomad can't be asked gets none, unless
	// Nomad has given some since the controller started. Where client_introduction.enforcement is "strict" such a member
	// could never join: set Always there, and members wait for their tokens.
	// The default is Auto.
	// +kubebuilder:validation:Enum=Auto;Always;Never
	// +kubebuilder:default=Auto
	// +optional
	IntroductionToken IntroductionTokenMode `json:"introductionToken,omitempty"`
}

// NomadReserved is a client's reserved block in Nomad's configuration.
//
// +kubebuilder:validation:XValidation:rule="has(self.cpu) || has(self.memory) || has(self.disk)",message="reserved: it is empty; set cpu, memory or disk, or leave it out"
type NomadReserved struct {
	// cpu in MHz.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	// +optional
	CPU int32 `json:"cpu,omitempty"`
	// memory of the guest, such as 512Mi; less than the VM's.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",messageExpression="'memory: \"%s\" must be more than 0; use a quantity such as 512Mi'.format([self])"
	// +optional
	Memory resource.Quantity `json:"memory,omitzero"`
	// disk of the file system with Nomad's data, such as 2Gi.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",messageExpression="'disk: \"%s\" must be more than 0; use a quantity such as 2Gi'.format([self])"
	// +optional
	Disk resource.Quantity `json:"disk,omitzero"`
}

// IntroductionTokenMode says if members get an introduction token.
type IntroductionTokenMode string

// The modes.
const (
	IntroductionAuto   IntroductionTokenMode = "Auto"
	IntroductionAlways IntroductionTokenMode = "Always"
	IntroductionNever  IntroductionTokenMode = "Never"
)
