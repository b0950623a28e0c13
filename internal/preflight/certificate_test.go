package preflight

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

func TestCertificatesWithWhichNobodyJoins(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	names := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = names }
	}
	valid := func(from, to time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(from), now.Add(to) }
	}
	year := valid(-time.Hour, 365*24*time.Hour)
	const is = `spec.nomad.clientTLSSecretRef: the certificate "tls.crt" of Secret "nomad-tls" `
	for name, tt := range map[string]struct {
		changes []func(*x509.Certificate)
		want    string
	}{
		"a client's": {[]func(*x509.Certificate){year}, ""},
		"a server's": {[]func(*x509.Certificate){year, names("server.global.nomad", "localhost")}, ""},
		"expired": {[]func(*x509.Certificate){valid(-48*time.Hour, -time.Hour)},
			is + `ended at 2026-03-01T11:00:00Z; put a new one there`},
		"not valid yet": {[]func(*x509.Certificate){valid(time.Hour, 48*time.Hour)},
			is + `begins only at 2026-03-01T13:00:00Z; wait, or put another one there`},
		"another region's": {[]func(*x509.Certificate){year, names("client.eu.nomad", "localhost")},
			is + `is for client.eu.nomad; Nomad's servers want client.global.nomad, so make it anew with that name`},
		"of a wildcard beside another region's": {[]func(*x509.Certificate){year, names("*.global.nomad", "server.eu.nomad")},
			is + `is for server.eu.nomad; Nomad's servers want client.global.nomad, so make it anew with that name`},
		"by its common name alone": {[]func(*x509.Certificate){year, names(), func(c *x509.Certificate) {
			c.Subject.CommonName = "client.global.nomad"
		}}, ""},
		"of no name, as servers take that don't verify names": {[]func(*x509.Certificate){year, names()}, ""},
		"of a host, as such servers take too":                 {[]func(*x509.Certificate){year, names("vm.example.com")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := blueprinttest.Certificate(t, tt.changes...)
			tmpl, c, f := blueprinttest.Template(), blueprinttest.Client(), blueprinttest.Facts()
			f.Now, f.Region = now, "global"
			c.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
			f.Secrets["nomad-tls"] = map[string]string{"ca.crt": cert, "tls.crt": cert, "tls.key": key}
			var got []string
			for _, p := range Check(&tmpl, &c, f) {
				got = append(got, p.Message)
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A member has the certificate that it was made with.
func TestCertificateEnd(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	cert, key := blueprinttest.Certificate(t, func(c *x509.Certificate) { c.NotAfter = end })
	f := blueprinttest.Facts()
	f.Secrets["nomad-tls"] = map[string]string{"tls.crt": cert, "tls.key": key}
	ref := &v1alpha1.SecretRef{Name: "nomad-tls"}
	for _, c := range []struct {
		ref  *v1alpha1.SecretRef
		want time.Time
	}{{ref, end}, {nil, time.Time{}}, {&v1alpha1.SecretRef{Name: "none"}, time.Time{}}} {
		if got := CertificateEnd(&v1alpha1.NomadClient{ClientTLSSecretRef: c.ref}, f); !got.Equal(c.want) {
			t.Errorf("%v: %s", c.ref, got)
		}
	}
}
