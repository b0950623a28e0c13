// Package blueprinttest has a member, its template and a cluster in which everything is as it should be, for tests.
package blueprinttest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// What the template and the member are called by.
const (
	Image        = "default/image-x2k7p"
	Network      = "default/vlan-120"
	KeyPair      = "default/ops-key"
	StorageClass = "lh-2d0c7f0e-6a3f-4c1c-9f5b-0d1f5f6f7a11"
	NodeID       = "6f1c02d4-8a55-4a0e-9d3c-51b2f3a4c5d6"
	PoolUID      = "6a1f7a55-2f3e-4b7e-9f0e-0d7d3c1a9f10"
)

// Template has a root disk, a data disk, a network and a key pair.
func Template() v1alpha1.NodeTemplate {
	return v1alpha1.NodeTemplate{
		CPU:    8,
		Memory: resource.MustParse("32Gi"),
		OS:     "ubuntu",
		Disks: []v1alpha1.Disk{
			{Name: "root", Size: resource.MustParse("40Gi"), Image: Image},
			{Name: "data", Size: resource.MustParse("100Gi"), StorageClassName: "harvester-longhorn"},
		},
		Networks: []v1alpha1.Network{{Name: Network}},
		SSHKeys:  []string{KeyPair},
	}
}

// Client is a configuration with servers, a node pool and meta.
func Client() v1alpha1.NomadClient {
	return v1alpha1.NomadClient{
		Servers:  []string{"10.0.0.10:4647", "nomad-1.lan.example"},
		NodePool: "batch",
		Meta:     map[string]string{"rack": "r1"},
	}
}

// Apt gets Nomad into the guest as a package.
func Apt() *v1alpha1.AptInstall {
	return &v1alpha1.AptInstall{
		Source:  "deb [arch=amd64] https://apt.lan.example/hashicorp $RELEASE main",
		Key:     "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBGO9u+MBEADmE9i8rpt8xhRqxbzlBG06z3qe+e1DI+SyjscyVVRcGDrEfo+J\n=o24U\n-----END PGP PUBLIC KEY BLOCK-----\n",
		Version: "1.11.*",
	}
}

// Download gets Nomad into the guest as an archive.
func Download() *v1alpha1.DownloadInstall {
	return &v1alpha1.DownloadInstall{
		URL:    "https://files.lan.example/nomad_1.11.3_linux_amd64.zip?a=%20b&c=d",
		SHA256: "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
	}
}

// Member is one of the pool batch, of Template and Client.
func Member() blueprint.Member {
	t, c := Template(), Client()
	return blueprint.Member{
		Namespace: "nomad-clients",
		Name:      "batch-7f3k9",
		PoolName:  "batch",
		PoolUID:   PoolUID,
		NodeID:    NodeID,
		Revision:  blueprint.Revision(&t, &c, ""),
		Template:  t,
		Client:    c,
	}
}

// Facts is a cluster in which everything that Template names is as it should be.
func Facts() blueprint.Facts {
	return blueprint.Facts{
		Images: map[string]blueprint.Image{Image: {StorageClassName: StorageClass, VirtualSize: 10 << 30}},
		StorageClasses: map[string]blueprint.StorageClass{
			StorageClass:         {Shareable: true},
			"harvester-longhorn": {Shareable: true},
			"local-lvm":          {Shareable: false},
		},
		Networks: map[string]blueprint.Network{Network: {}, "nomad-clients/storage": {}},
		KeyPairs: map[string]blueprint.KeyPair{KeyPair: {PublicKey: "ssh-ed25519 AAAAC3Nza ops\n"}},
		Secrets: map[string]map[string]string{
			"site": {"user": "#cloud-config\ntimezone: Europe/Berlin\n", "net": "version: 1\nconfig: []\n"}},
	}
}

// Overlay is the JSON document as a template has it.
func Overlay(doc string) *runtime.RawExtension {
	return &runtime.RawExtension{Raw: []byte(doc)}
}

// Certificate is one that signs itself, and its key, in PEM. Without changes it is a client's of the region global.
func Certificate(t *testing.T, changes ...func(*x509.Certificate)) (cert, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"client.global.nomad"}}
	for _, change := range changes {
		change(template)
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}
