package preflight

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

// unstructuredObject is an object of a kind that has no Go type here.
func unstructuredObject(kind schema.GroupVersionKind, ref string, content map[string]any) *unstructured.Unstructured {
	key, _ := objectKey(ref)
	obj := &unstructured.Unstructured{Object: content}
	obj.SetGroupVersionKind(kind)
	obj.SetNamespace(key.Namespace)
	obj.SetName(key.Name)
	return obj
}

func imageObject(ref, class string, conditions ...any) *unstructured.Unstructured {
	return unstructuredObject(ImageKind, ref, map[string]any{"status": map[string]any{
		"storageClassName": class, "virtualSize": int64(10 << 30), "conditions": conditions,
	}})
}

func isTrue(kind string) any { return map[string]any{"type": kind, "status": "True"} }

func reader(t *testing.T, objects ...client.Object) client.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []schema.GroupVersionKind{ImageKind, KeyPairKind, NetworkKind, TemplateKind, TemplateVersionKind} {
		scheme.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func storageClass(name, provisioner string, parameters map[string]string) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: provisioner,
		Parameters: parameters}
}

func TestGather(t *testing.T) {
	tmpl := blueprinttest.Template()
	tmpl.Disks = append(tmpl.Disks, v1alpha1.Disk{Name: "scratch", StorageClassName: "local-lvm"})
	tmpl.Networks = append(tmpl.Networks, v1alpha1.Network{Name: "default/broken"})
	tmpl.CloudInit = v1alpha1.CloudInit{
		UserDataSecretRef:    &v1alpha1.SecretKeyRef{Name: "site", Key: "user"},
		NetworkDataSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "net"},
	}
	network := unstructuredObject(NetworkKind, "default/broken", map[string]any{})
	network.SetLabels(map[string]string{"network.harvesterhci.io/ready": "false"})
	r := reader(t,
		imageObject(blueprinttest.Image, blueprinttest.StorageClass, isTrue("Initialized"), isTrue("Imported")),
		storageClass(blueprinttest.StorageClass, "driver.longhorn.io", map[string]string{"migratable": "true"}),
		storageClass("harvester-longhorn", "driver.longhorn.io", nil),
		storageClass("local-lvm", "lvm.driver.harvesterhci.io", nil),
		unstructuredObject(NetworkKind, blueprinttest.Network, map[string]any{}), network,
		unstructuredObject(KeyPairKind, blueprinttest.KeyPair,
			map[string]any{"spec": map[string]any{"publicKey": "ssh-ed25519 AAAA"}}),
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "nomad-clients", Name: "site"},
			Data:       map[string][]byte{"user": []byte("#cloud-config\n"), "net": []byte("version: 2\n"), "other": []byte("x")},
		},
	)
	got, err := Gather(context.Background(), r, "nomad-clients", &tmpl, &v1alpha1.NomadClient{})
	if err != nil {
		t.Fatal(err)
	}
	want := blueprint.Facts{
		Images: map[string]blueprint.Image{
			blueprinttest.Image: {StorageClassName: blueprinttest.StorageClass, VirtualSize: 10 << 30}},
		StorageClasses: map[string]blueprint.StorageClass{blueprinttest.StorageClass: {Shareable: true},
			"harvester-longhorn": {}, "local-lvm": {}},
		Networks: map[string]blueprint.Network{blueprinttest.Network: {}, "default/broken": {NotReady: true}},
		KeyPairs: map[string]blueprint.KeyPair{blueprinttest.KeyPair: {PublicKey: "ssh-ed25519 AAAA"}},
		Secrets:  map[string]map[string]string{"site": {"user": "#cloud-config\n", "net": "version: 2\n"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The token of a service account gets into no guest, whatever names its Secret, and is not even read.
func TestTokensOfServiceAccountsAreNotTaken(t *testing.T) {
	tokens := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "nomad-clients", Name: "sa"},
		Type: corev1.SecretTypeServiceAccountToken,
		Data: map[string][]byte{"token": []byte("ey.s3cr3t"), "ca.crt": []byte("s3cr3t")}}
	ref := &v1alpha1.SecretKeyRef{Name: "sa", Key: "token"}
	for field, change := range map[string]func(*v1alpha1.NodeTemplate, *v1alpha1.NomadClient){
		"spec.template.cloudInit.userDataSecretRef": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient) {
			t.CloudInit.UserDataSecretRef = ref
		},
		"spec.template.cloudInit.networkDataSecretRef": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient) {
			t.CloudInit.NetworkDataSecretRef = ref
		},
		"spec.nomad.clientTLSSecretRef": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient) {
			c.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "sa"}
		},
	} {
		m, f := blueprinttest.Member(), blueprinttest.Facts()
		change(&m.Template, &m.Client)
		gathered, err := Gather(t.Context(), reader(t, tokens.DeepCopy()), "nomad-clients", &m.Template, &m.Client)
		if err != nil {
			t.Fatal(err)
		}
		f.Secrets, f.TokenSecrets = gathered.Secrets, gathered.TokenSecrets
		problems := Check(&m.Template, &m.Client, f)
		want := field + `.name: Secret "sa" is the token of a Kubernetes service account, which isn't given to guests; put what ` +
			"they need into a Secret of type Opaque"
		if len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonTemplateInvalid || problems[0].Message != want {
			t.Errorf("%s: %+v", field, problems)
		}
		if text := fmt.Sprint(gathered, problems); strings.Contains(text, "s3cr3t") {
			t.Errorf("%s: the token was read: %s", field, text)
		}
	}
}

func TestGatherOfNothing(t *testing.T) {
	tmpl := blueprinttest.Template()
	tmpl.CloudInit.UserDataSecretRef = &v1alpha1.SecretKeyRef{Name: "site", Key: "user"}
	f, err := Gather(context.Background(), reader(t), "nomad-clients", &tmpl, &v1alpha1.NomadClient{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		v1alpha1.ReasonImageNotFound: true, v1alpha1.ReasonStorageClassNotFound: true, v1alpha1.ReasonNetworkNotFound: true,
		v1alpha1.ReasonKeyPairNotFound: true, v1alpha1.ReasonSecretNotFound: true,
	}
	got := map[string]bool{}
	for _, p := range Check(&tmpl, &v1alpha1.NomadClient{}, f) {
		got[p.Reason] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestImageOf(t *testing.T) {
	imported := isTrue("Imported")
	tests := map[string]struct {
		image *unstructured.Unstructured
		want  string
	}{
		"ready": {imageObject(blueprinttest.Image, "c", imported), ""},
		"new":   {unstructuredObject(ImageKind, blueprinttest.Image, map[string]any{}), "it isn't imported yet"},
		"importing": {imageObject(blueprinttest.Image, "c", map[string]any{"type": "Imported", "status": "Unknown"}),
			"it isn't imported yet"},
		"given up": {imageObject(blueprinttest.Image, "c", isTrue("RetryLimitExceeded")),
			"its import has failed for good"},
		"without a class": {imageObject(blueprinttest.Image, "", imported), "its status.storageClassName is empty"},
		"file gone": {imageObject(blueprinttest.Image, "c", imported, isTrue("BackingImageMissing")),
			"its backing image is missing"},
	}
	for name, tt := range tests {
		if got := imageOf(tt.image).NotReady; got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestKeyPairThatHarvesterCannotRead(t *testing.T) {
	pair := unstructuredObject(KeyPairKind, blueprinttest.KeyPair, map[string]any{
		"spec":   map[string]any{"publicKey": "ssh-rsa x"},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "validated", "status": "False"}}},
	})
	tmpl := v1alpha1.NodeTemplate{SSHKeys: []string{blueprinttest.KeyPair}}
	f, err := Gather(context.Background(), reader(t, pair), "nomad-clients", &tmpl, &v1alpha1.NomadClient{})
	if want := (blueprint.KeyPair{PublicKey: "ssh-rsa x", Invalid: true}); err != nil ||
		f.KeyPairs[blueprinttest.KeyPair] != want {
		t.Errorf("%+v, %v", f.KeyPairs, err)
	}
}

func TestModesOfAClass(t *testing.T) {
	annotated := func(doc string) *storagev1.StorageClass {
		c := storageClass("a", "csi.trident.netapp.io", nil)
		c.Annotations = map[string]string{"cdi.harvesterhci.io/storageProfileVolumeModeAccessModes": doc}
		return c
	}
	block := func(shareable bool) blueprint.StorageClass { return blueprint.StorageClass{Shareable: shareable} }
	files := func(shareable bool) blueprint.StorageClass {
		return blueprint.StorageClass{Shareable: shareable, Filesystem: true}
	}
	tests := map[string]struct {
		class *storagev1.StorageClass
		want  blueprint.StorageClass
	}{
		"Longhorn, migratable": {storageClass("a", "driver.longhorn.io", map[string]string{"migratable": "true"}),
			block(true)},
		"Longhorn, not migratable": {storageClass("a", "driver.longhorn.io", map[string]string{"migratable": "false"}),
			block(false)},
		"LVM":                      {storageClass("a", "lvm.driver.harvesterhci.io", nil), block(false)},
		"another driver":           {storageClass("a", "csi.example.com", nil), block(true)},
		"block, one host":          {annotated(`{"Block":["ReadWriteOnce"]}`), block(false)},
		"block, several hosts":     {annotated(`{"Block":["ReadWriteOnce","ReadWriteMany"]}`), block(true)},
		"file systems alone":       {annotated(`{"Filesystem":["ReadWriteMany"]}`), files(true)},
		"file systems of one host": {annotated(`{"Filesystem":["ReadWriteOnce"]}`), files(false)},
		"block before file systems": {annotated(`{"Filesystem":["ReadWriteMany"],"Block":["ReadWriteOnce"]}`),
			block(false)},
		"an annotation that isn't read": {annotated(`Block`), block(true)},
	}
	for name, tt := range tests {
		if got := modesOf(tt.class); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// failing answers every read with the same error.
type failing struct {
	client.Reader
	err error
}

func (f failing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return f.err
}

func TestGatherFailsOnlyWhenTheAPIDoes(t *testing.T) {
	tmpl := blueprinttest.Template()
	down := errors.New("connection refused")
	_, err := Gather(context.Background(), failing{err: down}, "nomad-clients", &tmpl, &v1alpha1.NomadClient{})
	if want := `reading VirtualMachineImage "default/image-x2k7p": connection refused`; !errors.Is(err, down) ||
		err.Error() != want {
		t.Errorf("Gather = %v, want %s", err, want)
	}
	noKind := &meta.NoKindMatchError{GroupKind: ImageKind.GroupKind()}
	f, err := Gather(context.Background(), failing{err: noKind}, "nomad-clients", &tmpl, &v1alpha1.NomadClient{})
	if err != nil || len(f.Images) > 0 {
		t.Errorf("without the kinds: %v, %v", f, err)
	}
}

// No object is read for the management network.
func TestGatherOfTheManagementNetwork(t *testing.T) {
	tmpl := v1alpha1.NodeTemplate{Networks: []v1alpha1.Network{{Type: v1alpha1.NetworkManagement}}}
	f, err := Gather(t.Context(), reader(t), "nomad-clients", &tmpl, &v1alpha1.NomadClient{})
	if err != nil || len(f.Networks) > 0 {
		t.Errorf("%v, %v", f.Networks, err)
	}
	whole, client := blueprinttest.Template(), blueprinttest.Client()
	whole.Networks = tmpl.Networks
	if problems := Check(&whole, &client, blueprinttest.Facts()); len(problems) > 0 {
		t.Error(problems)
	}
}
