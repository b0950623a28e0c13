package machine

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// certificate is one that signs itself, and its key, in PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"client.global.nomad"}}
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

func TestCheckOfTheClient(t *testing.T) {
	cert, key := certificate(t)
	_, otherKey := certificate(t)
	secret := func(ca, cert, key string) map[string]string {
		return map[string]string{"ca.crt": ca, "tls.crt": cert, "tls.key": key}
	}
	tests := map[string]struct {
		memory string
		secret map[string]string
		want   []Problem
	}{
		"all is well":     {"31Gi", secret(cert, cert, key), nil},
		"too much memory": {"32Gi", secret(cert, cert, key), []Problem{{v1alpha1.ReasonTemplateInvalid, `spec.nomad.reserved.memory: 32Gi leaves nothing of the VM's 32Gi for jobs; use less`}}},
		"no Secret":       {"1Gi", nil, []Problem{{v1alpha1.ReasonSecretNotFound, `spec.nomad.clientTLSSecretRef.name: Secret "nomad-tls" doesn't exist in the pool's namespace; create it or name another`}}},
		"no CA":           {"1Gi", secret("", cert, key), []Problem{{v1alpha1.ReasonSecretNotFound, `spec.nomad.clientTLSSecretRef: Secret "nomad-tls" has no key "ca.crt"; add it, in PEM, or name another`}}},
		"a CA that isn't": {"1Gi", secret("x", cert, key), []Problem{{v1alpha1.ReasonTemplateInvalid, `spec.nomad.clientTLSSecretRef: "ca.crt" of Secret "nomad-tls" holds no certificate in PEM; put the CA certificate of Nomad's agents there`}}},
		"another's key":   {"1Gi", secret(cert, cert, otherKey), []Problem{{v1alpha1.ReasonTemplateInvalid, `spec.nomad.clientTLSSecretRef: "tls.crt" and "tls.key" of Secret "nomad-tls" are no usable pair: tls: private key does not match public key; put a PEM certificate and its own private key there`}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tmpl, c, f := testTemplate(), testClient(), testFacts()
			c.Reserved = &v1alpha1.NomadReserved{Memory: resource.MustParse(tt.memory)}
			c.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
			if tt.secret != nil {
				f.Secrets["nomad-tls"] = tt.secret
			}
			if diff := cmp.Diff(tt.want, Check(&tmpl, &c, f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The members' certificate is read from its Secret, and reaches the guest with the key for root's eyes only.
func TestClientTLSReachesTheGuest(t *testing.T) {
	cert, key := certificate(t)
	m := testMember()
	m.Client.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
	tls := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "nomad-clients", Name: "nomad-tls"},
		Data:       map[string][]byte{"ca.crt": []byte(cert), "tls.crt": []byte(cert), "tls.key": []byte(key), "other": []byte("x")},
	}
	gathered, err := Gather(t.Context(), reader(t, tls), "nomad-clients", &m.Template, &m.Client)
	if err != nil {
		t.Fatal(err)
	}
	f := testFacts()
	f.Secrets = gathered.Secrets
	var config cloudConfig
	if err := yaml.Unmarshal(mustRender(t, m, f).Secret.Data["userdata"], &config); err != nil {
		t.Fatal(err)
	}
	want := []writeFile{
		{"/etc/nomad.d/tls/ca.crt", "0644", cert},
		{"/etc/nomad.d/tls/tls.crt", "0644", cert},
		{"/etc/nomad.d/tls/tls.key", "0600", key},
		{"/etc/nomad.d/nomad.hcl", "0640", nomadConfig(m)},
	}
	if diff := cmp.Diff(want, config.WriteFiles[1:]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// However long user data gets, it is never inlined: KubeVirt takes 2048 bytes at most there.
func TestLongUserDataIsNotInlined(t *testing.T) {
	m := testMember()
	for _, length := range []int{0, 2047, 2048, 2049, 60000} {
		m.Template.CloudInit.UserData = "#cloud-config\nfinal_message: " + "x" + strings.Repeat("x", length) + "\n"
		r := mustRender(t, m, testFacts())
		for _, v := range r.VM.Spec.Template.Spec.Volumes {
			if s := v.CloudInitNoCloud; s != nil && (s.UserData+s.UserDataBase64+s.NetworkData+s.NetworkDataBase64 != "" || s.UserDataSecretRef.Name != r.Secret.Name) {
				t.Errorf("%d: %+v", length, s)
			}
		}
	}
}
