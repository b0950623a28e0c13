package blueprint

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Facts is everything of the cluster that rendering or checking a template needs. An object without an entry doesn't
// exist.
type Facts struct {
	// Images are the VirtualMachineImages that disks name, by namespace/name.
	Images map[string]Image
	// StorageClasses are those of the images and of the empty disks, by name.
	StorageClasses map[string]StorageClass
	// Networks are the NetworkAttachmentDefinitions, by namespace/name.
	Networks map[string]Network
	// KeyPairs are the SSH key pairs, by namespace/name.
	KeyPairs map[string]KeyPair
	// Secrets are the values that cloudInit and clientTLSSecretRef take from Secrets, by the Secret's name and the key
	// in it. Only the keys that are referred to are there.
	Secrets map[string]map[string]string
	// TokenSecrets are the Secrets that hold the token of a Kubernetes service account. Nothing is taken from them:
	// who may make pools gets no token into a guest that way.
	TokenSecrets map[string]bool
	// Now is when they were gathered; zero: not known, and no certificate's time is checked.
	Now time.Time
	// Region is the Nomad region that the members join; empty: Nomad's default, "global".
	Region string
	// From is the cloud-init of the Harvester template that the template names; nil: it names none, or one that doesn't
	// exist.
	From *TemplateCloudInit
}

// Image is what matters of a VirtualMachineImage.
type Image struct {
	// NotReady is why the image can't be used, in words; empty: it can.
	NotReady string
	// Failed is true for an image that doesn't become ready by itself.
	Failed bool
	// StorageClassName is the class of the volumes that are made from the image. It is the only source of that name:
	// Harvester has composed it in different ways (Harvester issues 5165 and 9392).
	StorageClassName string
	// VirtualSize is the least size of a disk with this image, in bytes; 0: not known.
	VirtualSize int64
}

// StorageClass is what matters of a StorageClass.
type StorageClass struct {
	// Shareable: two hosts can have a volume of this class at the same time, which live migration of a VM needs.
	Shareable bool
	// Filesystem says that its volumes are file systems, not block devices.
	Filesystem bool
}

// Network is what matters of a NetworkAttachmentDefinition.
type Network struct {
	// NotReady: Harvester has marked the network as not ready. A network without a mark is ready: Harvester's network
	// controller marks only those that go through its webhook.
	NotReady bool
}

// KeyPair is what matters of a KeyPair.
type KeyPair struct {
	// PublicKey is in OpenSSH's form; empty: the key pair has none.
	PublicKey string
	// Invalid: Harvester couldn't read it.
	Invalid bool
}

// Text is one of the two documents of cloudInit, given either here or by a reference; ok is false if the Secret or its
// key doesn't exist.
func (f Facts) Text(inline string, ref *v1alpha1.SecretKeyRef) (text string, ok bool) {
	if ref == nil {
		return inline, true
	}
	text, ok = f.Secrets[ref.Name][ref.Key]
	return text, ok
}

// ClassOf is the storage class of a disk: that of its image, or the one that it names.
func (f Facts) ClassOf(d v1alpha1.Disk) string {
	if d.Image != "" {
		return f.Images[d.Image].StorageClassName
	}
	return d.StorageClassName
}

// CAKey is the key of a CA's certificate in a Secret, beside those of Kubernetes' TLS Secrets.
const CAKey = "ca.crt"

// TemplateCloudInit is the cloud-init of a Harvester template's version.
type TemplateCloudInit struct {
	UserData, NetworkData string
	// Problem is why it can't be used; nil: it can.
	Problem *condition.Problem
}
