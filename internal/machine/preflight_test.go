package machine

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

func TestCheck(t *testing.T) {
	userRef := func(name, key string) func(*v1alpha1.NodeTemplate, *Facts) {
		return func(t *v1alpha1.NodeTemplate, _ *Facts) {
			t.CloudInit.UserDataSecretRef = &v1alpha1.SecretKeyRef{Name: name, Key: key}
		}
	}
	image := func(img Image) func(*v1alpha1.NodeTemplate, *Facts) {
		return func(_ *v1alpha1.NodeTemplate, f *Facts) { f.Images[testImage] = img }
	}
	tests := map[string]struct {
		change func(*v1alpha1.NodeTemplate, *Facts)
		want   []Problem
	}{
		"all is well": {func(*v1alpha1.NodeTemplate, *Facts) {}, nil},
		"image missing": {func(_ *v1alpha1.NodeTemplate, f *Facts) { f.Images = nil }, []Problem{{
			v1alpha1.ReasonImageNotFound,
			`spec.template.disks[0].image: VirtualMachineImage "default/image-x2k7p" doesn't exist; create it or name another, as namespace/name and not by its display name (kubectl get virtualmachineimages -A)`,
		}}},
		"image not imported": {image(Image{NotReady: "it isn't imported yet"}), []Problem{{
			v1alpha1.ReasonImageNotReady,
			`spec.template.disks[0].image: VirtualMachineImage "default/image-x2k7p" can't be used: it isn't imported yet; wait for its import or see its status (kubectl get virtualmachineimages -A)`,
		}}},
		"image's class missing": {image(Image{StorageClassName: "gone"}), []Problem{{
			v1alpha1.ReasonStorageClassNotFound,
			`spec.template.disks[0].image: StorageClass "gone" doesn't exist; it is the class of VirtualMachineImage "default/image-x2k7p"; import the image again`,
		}}},
		"disk too small": {image(Image{StorageClassName: testClass, VirtualSize: 50<<30 + 1}), []Problem{{
			v1alpha1.ReasonDiskTooSmall,
			`spec.template.disks[0].size: 40Gi is less than the virtual size of VirtualMachineImage "default/image-x2k7p"; use at least 51201Mi`,
		}}},
		"disk just large enough": {image(Image{StorageClassName: testClass, VirtualSize: 40 << 30}), nil},
		"class missing": {func(t *v1alpha1.NodeTemplate, _ *Facts) { t.Disks[1].StorageClassName = "fast" }, []Problem{{
			v1alpha1.ReasonStorageClassNotFound,
			`spec.template.disks[1].storageClassName: StorageClass "fast" doesn't exist; name another (kubectl get storageclasses)`,
		}}},
		"class reserved": {func(t *v1alpha1.NodeTemplate, f *Facts) {
			t.Disks[1].StorageClassName = "longhorn-static"
			f.StorageClasses["longhorn-static"] = StorageClass{}
		}, []Problem{{
			v1alpha1.ReasonTemplateInvalid,
			`spec.template.disks[1].storageClassName: Harvester keeps StorageClass "longhorn-static" for itself and refuses volumes of it; name another (kubectl get storageclasses)`,
		}}},
		"disk named like cloud-init's": {func(t *v1alpha1.NodeTemplate, _ *Facts) { t.Disks[1].Name = "cloudinitdisk" }, []Problem{{
			v1alpha1.ReasonTemplateInvalid,
			`spec.template.disks[1].name: "cloudinitdisk" is the name of the cloud-init disk; choose another one`,
		}}},
		"network missing": {func(_ *v1alpha1.NodeTemplate, f *Facts) { f.Networks = nil }, []Problem{{
			v1alpha1.ReasonNetworkNotFound,
			`spec.template.networks[0].name: NetworkAttachmentDefinition "default/vlan-120" doesn't exist; create the network or name another (kubectl get network-attachment-definitions -A)`,
		}}},
		"network not ready": {func(_ *v1alpha1.NodeTemplate, f *Facts) { f.Networks[testNetwork] = Network{NotReady: true} }, []Problem{{
			v1alpha1.ReasonNetworkNotReady,
			`spec.template.networks[0].name: NetworkAttachmentDefinition "default/vlan-120" has the label network.harvesterhci.io/ready=false; see its cluster network in Harvester`,
		}}},
		"key pair missing": {func(_ *v1alpha1.NodeTemplate, f *Facts) { f.KeyPairs = nil }, []Problem{{
			v1alpha1.ReasonKeyPairNotFound,
			`spec.template.sshKeys[0]: KeyPair "default/ops-key" doesn't exist; create it or name another (kubectl get keypairs.harvesterhci.io -A)`,
		}}},
		"key pair empty": {func(_ *v1alpha1.NodeTemplate, f *Facts) { f.KeyPairs[testKeyPair] = KeyPair{} }, []Problem{{
			v1alpha1.ReasonKeyPairNotFound,
			`spec.template.sshKeys[0]: KeyPair "default/ops-key" has no spec.publicKey; set it or name another`,
		}}},
		"key pair unreadable": {func(_ *v1alpha1.NodeTemplate, f *Facts) {
			f.KeyPairs[testKeyPair] = KeyPair{PublicKey: "ssh-rsa x", Invalid: true}
		}, []Problem{{
			v1alpha1.ReasonKeyPairNotFound,
			`spec.template.sshKeys[0]: Harvester can't read the public key of KeyPair "default/ops-key" (its condition validated is False); make the key pair anew or name another`,
		}}},
		"Secret missing": {userRef("gone", "user"), []Problem{{
			v1alpha1.ReasonSecretNotFound,
			`spec.template.cloudInit.userDataSecretRef.name: Secret "gone" doesn't exist in the pool's namespace; create it or name another`,
		}}},
		"key of a Secret missing": {userRef("site", "gone"), []Problem{{
			v1alpha1.ReasonSecretNotFound,
			`spec.template.cloudInit.userDataSecretRef.key: Secret "site" has no key "gone"; add it or name another`,
		}}},
		"user data of a Secret wrong": {userRef("site", "net"), []Problem{{
			v1alpha1.ReasonTemplateInvalid,
			`spec.template.cloudInit.userDataSecretRef: the first line is not #cloud-config; only such documents can be merged with what Nomad needs: put commands under runcmd, files under write_files`,
		}}},
		"user data wrong": {func(t *v1alpha1.NodeTemplate, _ *Facts) { t.CloudInit.UserData = "#cloud-config\nruncmd: reboot\n" }, []Problem{{
			v1alpha1.ReasonTemplateInvalid,
			`spec.template.cloudInit.userData: runcmd is not a list; write it as one, to which the controller can add its own items`,
		}}},
		"network data wrong": {func(t *v1alpha1.NodeTemplate, _ *Facts) { t.CloudInit.NetworkData = "- a" }, []Problem{{
			v1alpha1.ReasonTemplateInvalid,
			`spec.template.cloudInit.networkData: it is not a mapping of keys to values`,
		}}},
		"network data's Secret missing": {func(t *v1alpha1.NodeTemplate, _ *Facts) {
			t.CloudInit.NetworkDataSecretRef = &v1alpha1.SecretKeyRef{Name: "gone", Key: "net"}
		}, []Problem{{
			v1alpha1.ReasonSecretNotFound,
			`spec.template.cloudInit.networkDataSecretRef.name: Secret "gone" doesn't exist in the pool's namespace; create it or name another`,
		}}},
		"overlay wrong": {func(t *v1alpha1.NodeTemplate, _ *Facts) {
			t.VirtualMachine = overlay(`{"template":{"spec":{"nodeSelector":{"a":"b"}}}}`)
		}, []Problem{{
			v1alpha1.ReasonTemplateInvalid,
			`spec.template.virtualMachine.template.spec.nodeSelector: can't be changed here: an upgrade of Harvester stops VMs with a nodeSelector instead of migrating them; use affinity.nodeAffinity, with more than one host to choose from`,
		}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tmpl, c, f := testTemplate(), testClient(), testFacts()
			tt.change(&tmpl, &f)
			if diff := cmp.Diff(tt.want, Check(&tmpl, &c, f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckFindsAllInOrder(t *testing.T) {
	tmpl, c := testTemplate(), testClient()
	tmpl.Disks[0].Size = resource.MustParse("1Gi")
	tmpl.VirtualMachine = overlay(`{"running":true}`)
	f := testFacts()
	f.KeyPairs, f.Networks = nil, nil
	var reasons []string
	for _, p := range Check(&tmpl, &c, f) {
		reasons = append(reasons, p.Reason)
	}
	want := []string{
		v1alpha1.ReasonDiskTooSmall, v1alpha1.ReasonNetworkNotFound, v1alpha1.ReasonKeyPairNotFound, v1alpha1.ReasonTemplateInvalid,
	}
	if !slices.Equal(reasons, want) {
		t.Errorf("reasons %v, want %v", reasons, want)
	}
}
