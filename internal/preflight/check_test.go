package preflight

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

func TestCheck(t *testing.T) {
	userRef := func(name, key string) func(*v1alpha1.NodeTemplate, *blueprint.Facts) {
		return func(t *v1alpha1.NodeTemplate, _ *blueprint.Facts) {
			t.CloudInit.UserDataSecretRef = &v1alpha1.SecretKeyRef{Name: name, Key: key}
		}
	}
	image := func(img blueprint.Image) func(*v1alpha1.NodeTemplate, *blueprint.Facts) {
		return func(_ *v1alpha1.NodeTemplate, f *blueprint.Facts) { f.Images[blueprinttest.Image] = img }
	}
	tests := map[string]struct {
		change func(*v1alpha1.NodeTemplate, *blueprint.Facts)
		want   []condition.Problem
	}{
		"all is well": {func(*v1alpha1.NodeTemplate, *blueprint.Facts) {}, nil},
		"image missing": {func(_ *v1alpha1.NodeTemplate, f *blueprint.Facts) { f.Images = nil }, []condition.Problem{{
			Reason:  v1alpha1.ReasonImageNotFound,
			Message: `spec.template.disks[0].image: VirtualMachineImage "default/image-x2k7p" doesn't exist; create it or name another, as namespace/name and not by its display name (kubectl get virtualmachineimages -A)`,
		}}},
		"image not imported": {image(blueprint.Image{NotReady: "it isn't imported yet"}), []condition.Problem{{
			Reason:  v1alpha1.ReasonImageNotReady,
			Message: `spec.template.disks[0].image: VirtualMachineImage "default/image-x2k7p" can't be used: it isn't imported yet; wait for its import or see its status (kubectl get virtualmachineimages -A)`,
		}}},
		"image's class missing": {image(blueprint.Image{StorageClassName: "gone"}), []condition.Problem{{
			Reason:  v1alpha1.ReasonStorageClassNotFound,
			Message: `spec.template.disks[0].image: StorageClass "gone" doesn't exist; it is the class of VirtualMachineImage "default/image-x2k7p"; import the image again`,
		}}},
		"disk too small": {
			image(blueprint.Image{StorageClassName: blueprinttest.StorageClass, VirtualSize: 50<<30 + 1}),
			[]condition.Problem{{
				Reason:  v1alpha1.ReasonDiskTooSmall,
				Message: `spec.template.disks[0].size: 40Gi is less than the virtual size of VirtualMachineImage "default/image-x2k7p"; use at least 51201Mi`,
			}},
		},
		"disk just large enough": {
			image(blueprint.Image{StorageClassName: blueprinttest.StorageClass, VirtualSize: 40 << 30}), nil},
		"class missing": {
			func(t *v1alpha1.NodeTemplate, _ *blueprint.Facts) { t.Disks[1].StorageClassName = "fast" },
			[]condition.Problem{{
				Reason:  v1alpha1.ReasonStorageClassNotFound,
				Message: `spec.template.disks[1].storageClassName: StorageClass "fast" doesn't exist; name another (kubectl get storageclasses)`,
			}},
		},
		"class reserved": {func(t *v1alpha1.NodeTemplate, f *blueprint.Facts) {
			t.Disks[1].StorageClassName = "longhorn-static"
			f.StorageClasses["longhorn-static"] = blueprint.StorageClass{}
		}, []condition.Problem{{
			Reason:  v1alpha1.ReasonTemplateInvalid,
			Message: `spec.template.disks[1].storageClassName: Harvester keeps StorageClass "longhorn-static" for itself and refuses volumes of it; name another (kubectl get storageclasses)`,
		}}},
		"disk named like cloud-init's": {
			func(t *v1alpha1.NodeTemplate, _ *blueprint.Facts) { t.Disks[1].Name = "cloudinitdisk" },
			[]condition.Problem{{
				Reason:  v1alpha1.ReasonTemplateInvalid,
				Message: `spec.template.disks[1].name: "cloudinitdisk" is the name of the cloud-init disk; choose another one`,
			}},
		},
		"network missing": {func(_ *v1alpha1.NodeTemplate, f *blueprint.Facts) { f.Networks = nil }, []condition.Problem{{
			Reason:  v1alpha1.ReasonNetworkNotFound,
			Message: `spec.template.networks[0].name: NetworkAttachmentDefinition "default/vlan-120" doesn't exist; create the network or name another (kubectl get network-attachment-definitions -A)`,
		}}},
		"network not ready": {func(_ *v1alpha1.NodeTemplate, f *blueprint.Facts) {
			f.Networks[blueprinttest.Network] = blueprint.Network{NotReady: true}
		}, []condition.Problem{{
			Reason:  v1alpha1.ReasonNetworkNotReady,
			Message: `spec.template.networks[0].name: NetworkAttachmentDefinition "default/vlan-120" has the label network.harvesterhci.io/ready=false; see its cluster network in Harvester`,
		}}},
		"key pair missing": {func(_ *v1alpha1.NodeTemplate, f *blueprint.Facts) { f.KeyPairs = nil }, []condition.Problem{{
			Reason:  v1alpha1.ReasonKeyPairNotFound,
			Message: `spec.template.sshKeys[0]: KeyPair "default/ops-key" doesn't exist; create it or name another (kubectl get keypairs.harvesterhci.io -A)`,
		}}},
		"key pair empty": {func(_ *v1alpha1.NodeTemplate, f *blueprint.Facts) {
			f.KeyPairs[blueprinttest.KeyPair] = blueprint.KeyPair{}
		}, []condition.Problem{{
			Reason:  v1alpha1.ReasonKeyPairNotFound,
			Message: `spec.template.sshKeys[0]: KeyPair "default/ops-key" has no spec.publicKey; set it or name another`,
		}}},
		"key pair unreadable": {func(_ *v1alpha1.NodeTemplate, f *blueprint.Facts) {
			f.KeyPairs[blueprinttest.KeyPair] = blueprint.KeyPair{PublicKey: "ssh-rsa x", Invalid: true}
		}, []condition.Problem{{
			Reason:  v1alpha1.ReasonKeyPairNotFound,
			Message: `spec.template.sshKeys[0]: Harvester can't read the public key of KeyPair "default/ops-key" (its condition validated is False); make the key pair anew or name another`,
		}}},
		"Secret missing": {userRef("gone", "user"), []condition.Problem{{
			Reason:  v1alpha1.ReasonSecretNotFound,
			Message: `spec.template.cloudInit.userDataSecretRef.name: Secret "gone" doesn't exist in the pool's namespace; create it or name another`,
		}}},
		"key of a Secret missing": {userRef("site", "gone"), []condition.Problem{{
			Reason:  v1alpha1.ReasonSecretNotFound,
			Message: `spec.template.cloudInit.userDataSecretRef.key: Secret "site" has no key "gone"; add it or name another`,
		}}},
		"user data of a Secret wrong": {userRef("site", "net"), []condition.Problem{{
			Reason:  v1alpha1.ReasonTemplateInvalid,
			Message: `spec.template.cloudInit.userDataSecretRef: the first line is not #cloud-config; only such documents can be merged with what Nomad needs: put commands under runcmd, files under write_files`,
		}}},
		"user data wrong": {func(t *v1alpha1.NodeTemplate, _ *blueprint.Facts) {
			t.CloudInit.UserData = "#cloud-config\nruncmd: reboot\n"
		}, []condition.Problem{{
			Reason:  v1alpha1.ReasonTemplateInvalid,
			Message: `spec.template.cloudInit.userData: runcmd, line 2: it is not a list; write it as one, to which the controller can add its own items`,
		}}},
		"network data wrong": {
			func(t *v1alpha1.NodeTemplate, _ *blueprint.Facts) { t.CloudInit.NetworkData = "- a" },
			[]condition.Problem{{
				Reason:  v1alpha1.ReasonTemplateInvalid,
				Message: `spec.template.cloudInit.networkData: it is not a mapping of keys to values`,
			}},
		},
		"network data's Secret missing": {func(t *v1alpha1.NodeTemplate, _ *blueprint.Facts) {
			t.CloudInit.NetworkDataSecretRef = &v1alpha1.SecretKeyRef{Name: "gone", Key: "net"}
		}, []condition.Problem{{
			Reason:  v1alpha1.ReasonSecretNotFound,
			Message: `spec.template.cloudInit.networkDataSecretRef.name: Secret "gone" doesn't exist in the pool's namespace; create it or name another`,
		}}},
		"overlay wrong": {func(t *v1alpha1.NodeTemplate, _ *blueprint.Facts) {
			t.VirtualMachine = blueprinttest.Overlay(`{"template":{"spec":{"nodeSelector":{"a":"b"}}}}`)
		}, []condition.Problem{{
			Reason:  v1alpha1.ReasonTemplateInvalid,
			Message: `spec.template.virtualMachine.template.spec.nodeSelector: can't be changed here: an upgrade of Harvester stops VMs with a nodeSelector instead of migrating them; use affinity.nodeAffinity, with more than one host to choose from`,
		}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tmpl, c, f := blueprinttest.Template(), blueprinttest.Client(), blueprinttest.Facts()
			tt.change(&tmpl, &f)
			if diff := cmp.Diff(tt.want, Check(&tmpl, &c, f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckFindsAllInOrder(t *testing.T) {
	tmpl, c := blueprinttest.Template(), blueprinttest.Client()
	tmpl.Disks[0].Size = resource.MustParse("1Gi")
	tmpl.VirtualMachine = blueprinttest.Overlay(`{"running":true}`)
	f := blueprinttest.Facts()
	f.KeyPairs, f.Networks = nil, nil
	var reasons []string
	for _, p := range Check(&tmpl, &c, f) {
		reasons = append(reasons, p.Reason)
	}
	want := []string{
		v1alpha1.ReasonDiskTooSmall, v1alpha1.ReasonNetworkNotFound, v1alpha1.ReasonKeyPairNotFound,
		v1alpha1.ReasonTemplateInvalid,
	}
	if !slices.Equal(reasons, want) {
		t.Errorf("reasons %v, want %v", reasons, want)
	}
}
