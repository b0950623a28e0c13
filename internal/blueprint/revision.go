package blueprint

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/jsonmerge"
)

// revisionVersion is the way in which the hash is made. A change that gives an unchanged template another hash must
// raise it, so that a controller can tell "made in another way" (compute both anew from the NomadNode) from "another
// template".
const revisionVersion = "v1-"

// managementNetwork stands for the management network, which has no name. No other network can be called so.
const managementNetwork = "management"

// revisionInput is what a revision is the hash of. Its fields are listed, and not taken over from the API types, so
// that a field which a later controller adds to the API changes no hash while it is unset. Defaults are filled in, so
// that writing one out is no change. IntroductionToken is left out: it matters only until a member has joined.
type revisionInput struct {
	// From is the version of a Harvester template, for what isn't copied from it: its cloud-init.
	From           string            `json:"from,omitempty"`
	CPU            int32             `json:"cpu"`
	Memory         int64             `json:"memory"`
	OS             string            `json:"os"`
	Description    string            `json:"description,omitempty"`
	Disks          []revisionDisk    `json:"disks"`
	Networks       []string          `json:"networks"`
	SSHKeys        []string          `json:"sshKeys,omitempty"`
	CloudInit      revisionCloudInit `json:"cloudInit"`
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
	VirtualMachine any               `json:"virtualMachine,omitempty"`

	Region     string            `json:"region"`
	Servers    []string          `json:"servers"`
	NodePool   string            `json:"nodePool"`
	NodeClass  string            `json:"nodeClass,omitempty"`
	Datacenter string            `json:"datacenter"`
	Meta       map[string]string `json:"meta,omitempty"`
	Reserved   *revisionReserved `json:"reserved,omitempty"`
	Install    *revisionInstall  `json:"install,omitempty"`
	ClientTLS  string            `json:"clientTLS,omitempty"`
}

type revisionReserved struct {
	CPU    int32 `json:"cpu,omitempty"`
	Memory int64 `json:"memory,omitempty"`
	Disk   int64 `json:"disk,omitempty"`
}

type revisionInstall struct {
	AptSource  string `json:"aptSource,omitempty"`
	AptKey     string `json:"aptKey,omitempty"`
	AptVersion string `json:"aptVersion,omitempty"`
	URL        string `json:"url,omitempty"`
	SHA256     string `json:"sha256,omitempty"`
}

type revisionDisk struct {
	Name         string `json:"name"`
	Size         int64  `json:"size"`
	Image        string `json:"image,omitempty"`
	StorageClass string `json:"storageClass,omitempty"`
}

type revisionCloudInit struct {
	UserData       string                 `json:"userData,omitempty"`
	UserDataRef    *v1alpha1.SecretKeyRef `json:"userDataRef,omitempty"`
	NetworkData    string                 `json:"networkData,omitempty"`
	NetworkDataRef *v1alpha1.SecretKeyRef `json:"networkDataRef,omitempty"`
	GuestAgent     bool                   `json:"guestAgent,omitempty"`
}

// Revision is a short hash of what members are made from, valid as a label's value. It changes if and only if a
// member made now would differ: writing out a default, another unit for the same size or another order of keys
// doesn't change it. What the template only refers to (a Secret's or a key pair's content, an image) isn't part of
// it; nor is the default of nodeClass, which is the pool's name. A template that names one of Harvester's must be
// given as harvestertemplate.Resolve returned it.
func Revision(t *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, region string) string {
	in := revisionInput{
		CPU:         t.CPU,
		Memory:      t.Memory.Value(),
		OS:          cmp.Or(t.OS, DefaultOS),
		Description: t.Description,
		SSHKeys:     t.SSHKeys,
		CloudInit: revisionCloudInit{
			UserData:       t.CloudInit.UserData,
			UserDataRef:    t.CloudInit.UserDataSecretRef,
			NetworkData:    t.CloudInit.NetworkData,
			NetworkDataRef: t.CloudInit.NetworkDataSecretRef,
			GuestAgent:     t.CloudInit.GuestAgent,
		},
		Labels:         t.Labels,
		Annotations:    t.Annotations,
		VirtualMachine: canonical(t.VirtualMachine),
		Region:         cmp.Or(region, DefaultRegion),
		Servers:        c.Servers,
		NodePool:       cmp.Or(c.NodePool, DefaultNodePool),
		NodeClass:      c.NodeClass,
		Datacenter:     cmp.Or(c.Datacenter, DefaultDatacenter),
		Meta:           c.Meta,
		Reserved:       reservedRevision(c.Reserved),
		Install:        installRevision(c.Install),
	}
	if c.ClientTLSSecretRef != nil {
		in.ClientTLS = c.ClientTLSSecretRef.Name
	}
	if t.From != nil {
		in.From = t.From.Name
	}
	for _, d := range t.Disks {
		in.Disks = append(in.Disks, revisionDisk{d.Name, d.Size.Value(), d.Image, d.StorageClassName})
	}
	for _, n := range t.Networks {
		name := n.Name
		if n.Type == v1alpha1.NetworkManagement {
			name = managementNetwork
		}
		in.Networks = append(in.Networks, name)
	}
	// json.Marshal sorts the keys of maps, and nothing in revisionInput can fail to marshal.
	doc, _ := json.Marshal(in)
	sum := sha256.Sum256(doc)
	return revisionVersion + hex.EncodeToString(sum[:5])
}

func reservedRevision(r *v1alpha1.NomadReserved) *revisionReserved {
	if r == nil {
		return nil
	}
	return &revisionReserved{r.CPU, Megabytes(r.Memory), Megabytes(r.Disk)}
}

func installRevision(i *v1alpha1.NomadInstall) *revisionInstall {
	switch {
	case i == nil:
		return nil
	case i.Apt != nil:
		return &revisionInstall{AptSource: i.Apt.Source, AptKey: i.Apt.Key, AptVersion: i.Apt.Version}
	case i.Download != nil:
		return &revisionInstall{URL: i.Download.URL, SHA256: strings.ToLower(i.Download.SHA256)}
	default:
		return nil
	}
}

// canonical returns an overlay decoded, so that the order of keys and white space don't matter; nil if it changes
// nothing. An overlay that isn't JSON is returned as it is; pre-flight refuses it.
func canonical(raw *runtime.RawExtension) any {
	if raw == nil || len(bytes.TrimSpace(raw.Raw)) == 0 {
		return nil
	}
	doc, err := jsonmerge.Object(raw.Raw)
	if err != nil {
		return string(raw.Raw)
	}
	if len(doc) == 0 {
		return nil
	}
	return doc
}

// The values of fields that are unset: Nomad's own defaults, and Harvester's.
const (
	DefaultRegion     = "global"
	DefaultNodePool   = "default"
	DefaultDatacenter = "dc1"
	DefaultOS         = "linux"
)

// Megabytes are Nomad's, of 2^20 bytes (Nomad: client/fingerprint/memory.go, storage.go), rounded up.
func Megabytes(q resource.Quantity) int64 {
	const mb = 1 << 20
	return (q.Value() + mb - 1) / mb
}
