package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// While the certificate of Harvester's address is expired nothing is sent there, the policy waits, and the log says
// why. When it is renewed the policy works on, without anybody's doing.
func TestPluginOutlivesAnExpiredCertificate(t *testing.T) {
	t.Parallel()
	create(t, newPool("certified", 0))
	now := time.Now()
	first, firstPEM := certificate(t, now.Add(time.Hour))
	expired, expiredPEM := certificate(t, now.Add(-time.Minute))
	renewed, renewedPEM := certificate(t, now.Add(time.Hour))
	door := &front{}
	door.certificate.Store(&first)
	server := door.serve(t)
	token, err := w.Kube.Token(t.Context(), fixtures.ProductNamespace, testenv.AutoscalerServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := map[string]string{"kubeconfig": "", "harvester_url": server.URL,
		"auth_token_file": fileWith(t, dir, "token", token),
		"ca_cert":         fileWith(t, dir, "ca.pem", firstPEM+expiredPEM+renewedPEM)}
	a := startAgent(t, map[string]string{"certified.hcl": fixedPolicy("certified", 1)},
		func(o *testenv.AutoscalerOptions) { o.PluginConfig = config })
	eventually(t, "certified", "the pool to be scaled", time.Minute, replicas(1))

	door.certificate.Store(&expired)
	server.CloseClientConnections()
	a.logs(t, "[WARN]", "it can't be read", "certified", "certificate has expired")
	change(t, "certified", func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) })
	unmoved(t, "certified", 0)

	door.certificate.Store(&renewed)
	eventually(t, "certified", "the policy to work again", time.Minute, replicas(1))
	a.checkSound(t)
}

// front is an address of the API server with a certificate that can be exchanged.
type front struct {
	certificate atomic.Pointer[tls.Certificate]
}

func (f *front) serve(t *testing.T) *httptest.Server {
	t.Helper()
	target, err := url.Parse(w.RESTConfig.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(w.RESTConfig))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport})
	// httptest adds a certificate of its own to a configuration without one.
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config,
		error) {
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*f.certificate.Load()}}, nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// certificate is one for this host that signs itself.
func certificate(t *testing.T, until time.Time) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(until.UnixNano()), Subject: pkix.Name{CommonName: "front"},
		NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func fileWith(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
