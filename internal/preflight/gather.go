package preflight

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// The kinds of other projects to which a template refers. They are read without their Go types, which would make all of
// Harvester a dependency.
var (
	// ImageKind is Harvester's VirtualMachineImage.
	ImageKind = schema.GroupVersionKind{Group: "harvesterhci.io", Version: "v1beta1", Kind: "VirtualMachineImage"}
	// KeyPairKind is Harvester's SSH key pair.
	KeyPairKind = schema.GroupVersionKind{Group: "harvesterhci.io", Version: "v1beta1", Kind: "KeyPair"}
	// TemplateKind is Harvester's VirtualMachineTemplate.
	TemplateKind = schema.GroupVersionKind{Group: "harvesterhci.io", Version: "v1beta1", Kind: v1alpha1.KindTemplate}
	// TemplateVersionKind is Harvester's VirtualMachineTemplateVersion.
	TemplateVersionKind = schema.GroupVersionKind{Group: "harvesterhci.io", Version: "v1beta1",
		Kind: v1alpha1.KindTemplateVersion}
	// NetworkKind is Multus' NetworkAttachmentDefinition.
	NetworkKind = schema.GroupVersionKind{Group: "k8s.cni.cncf.io", Version: "v1", Kind: "NetworkAttachmentDefinition"}
)

const (
	longhornProvisioner = "driver.longhorn.io"
	// lvmProvisioner is Harvester's driver for local volumes (Harvester UI: config/types, LVM_DRIVER).
	lvmProvisioner = "lvm.driver.harvesterhci.io"
	// networkReadyLabel is set by Harvester's network controller on networks.
	networkReadyLabel = "network.harvesterhci.io/ready"
)

// Gather reads what a template and a client's configuration refer to. An object that doesn't exist is not an error but
// missing in the Facts, and Check reports it. An error means that the API server didn't answer. Secrets are read in the
// given namespace, the pool's.
func Gather(ctx context.Context, r client.Reader, namespace string, t *v1alpha1.NodeTemplate,
	c *v1alpha1.NomadClient) (blueprint.Facts, error) {
	f := blueprint.Facts{
		Images:         map[string]blueprint.Image{},
		StorageClasses: map[string]blueprint.StorageClass{},
		Networks:       map[string]blueprint.Network{},
		KeyPairs:       map[string]blueprint.KeyPair{},
		Secrets:        map[string]map[string]string{},
	}
	g := gatherer{ctx: ctx, reader: r}
	if t.From != nil {
		f.From = g.templateCloudInit(namespace, *t.From)
	}
	for _, d := range t.Disks {
		if d.Image == "" {
			continue
		}
		if obj := g.object(ImageKind, d.Image); obj != nil {
			f.Images[d.Image] = imageOf(obj)
		}
	}
	for _, d := range t.Disks {
		g.storageClass(f.ClassOf(d), f.StorageClasses)
	}
	for _, n := range t.Networks {
		if n.Type == v1alpha1.NetworkManagement {
			continue
		}
		if obj := g.object(NetworkKind, n.Name); obj != nil {
			f.Networks[n.Name] = blueprint.Network{NotReady: obj.GetLabels()[networkReadyLabel] == "false"}
		}
	}
	for _, ref := range t.SSHKeys {
		if obj := g.object(KeyPairKind, ref); obj != nil {
			key, _, _ := unstructured.NestedString(obj.Object, "spec", "publicKey")
			f.KeyPairs[ref] = blueprint.KeyPair{PublicKey: key, Invalid: ConditionStatus(obj, "validated") == "False"}
		}
	}
	for _, ref := range secretRefs(t, c) {
		g.secretKey(namespace, ref, &f)
	}
	return f, g.err
}

// gatherer reads one object after the other until the first error, which it keeps.
type gatherer struct {
	ctx    context.Context
	reader client.Reader
	err    error
}

// get reads an object and returns whether it exists. A kind that the API server doesn't know has no objects.
func (g *gatherer) get(key client.ObjectKey, obj client.Object, kind string) bool {
	if g.err != nil {
		return false
	}
	err := g.reader.Get(g.ctx, key, obj)
	if err == nil {
		return true
	}
	if !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		g.err = fmt.Errorf("reading %s %q: %w", kind, key, err)
	}
	return false
}

// object reads an object by namespace/name; nil: there is none.
func (g *gatherer) object(kind schema.GroupVersionKind, ref string) *unstructured.Unstructured {
	key, ok := objectKey(ref)
	if !ok {
		return nil
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kind)
	if !g.get(key, obj, kind.Kind) {
		return nil
	}
	return obj
}

func (g *gatherer) storageClass(name string, into map[string]blueprint.StorageClass) {
	if _, known := into[name]; known || name == "" {
		return
	}
	class := &storagev1.StorageClass{}
	if g.get(client.ObjectKey{Name: name}, class, "StorageClass") {
		into[name] = modesOf(class)
	}
}

func (g *gatherer) secretKey(namespace string, ref v1alpha1.SecretKeyRef, f *blueprint.Facts) {
	secret := &corev1.Secret{}
	if !g.get(client.ObjectKey{Namespace: namespace, Name: ref.Name}, secret, "Secret") {
		return
	}
	if secret.Type == corev1.SecretTypeServiceAccountToken {
		if f.TokenSecrets == nil {
			f.TokenSecrets = map[string]bool{}
		}
		f.TokenSecrets[ref.Name] = true
		return
	}
	if f.Secrets[ref.Name] == nil {
		f.Secrets[ref.Name] = map[string]string{}
	}
	if value, ok := secret.Data[ref.Key]; ok {
		f.Secrets[ref.Name][ref.Key] = string(value)
	}
}

// modesAnnotation has the modes of a class's volumes, as {"Block":["ReadWriteOnce"]}. Harvester 1.8 and later demand it
// of classes whose volumes CDI makes (Harvester: enhancements/20250522-expose-cdi-settings-in-ui.md).
const modesAnnotation = "cdi.harvesterhci.io/storageProfileVolumeModeAccessModes"

// modesOf reads how volumes of a class are attached. Harvester's UI decides likewise: LVM volumes can't be attached to
// two hosts at once, and of Longhorn's only those that are migratable can (Harvester UI:
// VirtualMachineVolume/type/volume.vue, getAccessMode). Other drivers are believed what the class is annotated with, or
// else trusted to.
func modesOf(class *storagev1.StorageClass) blueprint.StorageClass {
	switch class.Provisioner {
	case lvmProvisioner:
		return blueprint.StorageClass{}
	case longhornProvisioner:
		return blueprint.StorageClass{Shareable: class.Parameters["migratable"] == "true"}
	}
	var modes map[corev1.PersistentVolumeMode][]corev1.PersistentVolumeAccessMode
	if err := json.Unmarshal([]byte(class.Annotations[modesAnnotation]), &modes); err != nil || len(modes) == 0 {
		return blueprint.StorageClass{Shareable: true}
	}
	for _, mode := range []corev1.PersistentVolumeMode{corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem} {
		if access, ok := modes[mode]; ok {
			return blueprint.StorageClass{Shareable: slices.Contains(access, corev1.ReadWriteMany),
				Filesystem: mode == corev1.PersistentVolumeFilesystem}
		}
	}
	return blueprint.StorageClass{Shareable: true}
}

// imageOf reads a VirtualMachineImage (Harvester: pkg/apis/harvesterhci.io/v1beta1/image.go).
func imageOf(obj *unstructured.Unstructured) blueprint.Image {
	var img blueprint.Image
	img.StorageClassName, _, _ = unstructured.NestedString(obj.Object, "status", "storageClassName")
	img.VirtualSize, _, _ = unstructured.NestedInt64(obj.Object, "status", "virtualSize")
	switch {
	case ConditionStatus(obj, "BackingImageMissing") == "True":
		img.NotReady, img.Failed = "its backing image is missing", true
	case ConditionStatus(obj, "RetryLimitExceeded") == "True":
		img.NotReady, img.Failed = "its import has failed for good", true
	case ConditionStatus(obj, "Imported") != "True":
		img.NotReady = "it isn't imported yet"
	case img.StorageClassName == "":
		img.NotReady = "its status.storageClassName is empty"
	}
	return img
}

// ConditionStatus is the status of a condition of one of Harvester's objects, whose types aren't imported; empty: there
// is no such condition.
func ConditionStatus(obj *unstructured.Unstructured, kind string) string {
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == kind {
			status, _ := c["status"].(string)
			return status
		}
	}
	return ""
}

// secretRefs are the references to Secrets in a template and a client's configuration.
func secretRefs(t *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient) []v1alpha1.SecretKeyRef {
	var refs []v1alpha1.SecretKeyRef
	if ref := c.ClientTLSSecretRef; ref != nil {
		for _, key := range []string{blueprint.CAKey, corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
			refs = append(refs, v1alpha1.SecretKeyRef{Name: ref.Name, Key: key})
		}
	}
	for _, ref := range []*v1alpha1.SecretKeyRef{t.CloudInit.UserDataSecretRef, t.CloudInit.NetworkDataSecretRef} {
		if ref != nil {
			refs = append(refs, *ref)
		}
	}
	return refs
}

// objectKey reads namespace/name; ok is false if it isn't that.
func objectKey(ref string) (key client.ObjectKey, ok bool) {
	namespace, name, ok := strings.Cut(ref, "/")
	return client.ObjectKey{Namespace: namespace, Name: name}, ok && namespace != "" && name != ""
}
