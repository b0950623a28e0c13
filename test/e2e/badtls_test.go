package e2e

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// Whatever keeps a pool from its Nomad by TLS is reported with what to mend, and where.
func TestNomadsTLSFaultsAreReported(t *testing.T) {
	t.Parallel()
	answer := http.NotFoundHandler()
	plain := httptest.NewServer(answer)
	secure, mutual := httptest.NewUnstartedServer(answer), httptest.NewUnstartedServer(answer)
	mutual.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	for _, server := range []*httptest.Server{secure, mutual} {
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
	}
	t.Cleanup(plain.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	for name, c := range map[string]struct {
		address string
		secret  map[string]string // none: the pool names no Secret
		parts   []string
	}{
		"untrusted": {secure.URL, nil, []string{"its certificate is signed by an authority that isn't known here",
			"put the CA certificate that signs the certificates of Nomad's agents into a Secret in the pool's namespace"}},
		"othername": {secure.URL, map[string]string{"ca.crt": ca, "tls-server-name": "server.global.nomad"},
			[]string{"its certificate is for example.com", `and not for "server.global.nomad"`,
				"into the Secret that spec.nomad.credentialsSecretRef names as the key tls-server-name"}},
		"nameless": {mutual.URL, map[string]string{"ca.crt": ca}, []string{
			"it ended the TLS handshake: certificate required",
			"put a valid client certificate, signed by the CA of Nomad's agents, and its private key into"}},
		"speakshttps": {strings.Replace(secure.URL, "https:", "http:", 1), nil,
			[]string{"it speaks HTTPS; use https:// in spec.nomad.address"}},
		"speakshttp": {strings.Replace(plain.URL, "http:", "https:", 1), nil,
			[]string{"it speaks HTTP, without TLS; have it serve TLS, or use http:// in spec.nomad.address"}},
	} {
		create(t, newPool(name, 0, func(p *v1alpha1.NomadNodePool) {
			p.Spec.Nomad.Address = c.address
			if c.secret != nil {
				c.secret["token"] = "12345678-1234-1234-1234-123456789abc"
				createObject(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name},
					StringData: c.secret})
				credentials(name)(p)
			}
		}))
		eventually(t, name, "the pool to report it", time.Minute,
			reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials, append(c.parts, "Nomad at "+c.address)...))
	}
}
