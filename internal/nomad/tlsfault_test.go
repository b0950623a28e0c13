package nomad

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// authority is one that signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// certificate is what an authority signs; the zero value is valid now, for server.global.nomad.
type certificate struct {
	ca       bool
	from, to time.Time
	usage    x509.ExtKeyUsage
}

// sign makes a certificate; by nil it signs itself.
func sign(t *testing.T, by *authority, c certificate) (*authority, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if c.to.IsZero() {
		c.from, c.to = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: c.from, NotAfter: c.to,
		Subject: pkix.Name{CommonName: "n"}, DNSNames: []string{"server.global.nomad", "a name\nthat is none"},
		IsCA: c.ca, BasicConstraintsValid: true}
	if c.ca {
		template.DNSNames, template.KeyUsage = nil, x509.KeyUsageCertSign
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{c.usage}
	}
	signs := authority{cert: template, key: key}
	if by != nil {
		signs = *by
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signs.cert, key.Public(), signs.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	out := &authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	return out, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (i *authority) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// Each mistake in TLS is one of its own, which a person has to mend, and says what the server's certificate is.
func TestEachMistakeInTLSIsReported(t *testing.T) {
	long := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	ca, _ := sign(t, nil, certificate{ca: true})
	other, _ := sign(t, nil, certificate{ca: true})
	oldCA, _ := sign(t, nil, certificate{ca: true, from: long, to: long.AddDate(1, 0, 0)})
	server := certificate{usage: x509.ExtKeyUsageServerAuth}
	_, good := sign(t, ca, server)
	_, ofOldCA := sign(t, oldCA, server)
	_, expired := sign(t, ca, certificate{usage: x509.ExtKeyUsageServerAuth, from: long, to: long.AddDate(1, 0, 0)})
	client, forClients := sign(t, ca, certificate{usage: x509.ExtKeyUsageClientAuth})
	stale, _ := sign(t, ca, certificate{usage: x509.ExtKeyUsageClientAuth, from: long, to: long.AddDate(1, 0, 0)})
	othersCert, _ := sign(t, other, certificate{usage: x509.ExtKeyUsageClientAuth})
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	with := func(cert tls.Certificate, tweak func(*tls.Config)) *tls.Config {
		c := &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool}
		if tweak != nil {
			tweak(c)
		}
		return c
	}
	mutual := func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }
	mutual12 := func(c *tls.Config) { mutual(c); c.MaxVersion = tls.VersionTLS12 }
	conn := Connection{CACert: ca.pem, TLSServerName: "server.global.nomad"}
	by := func(of *authority) Connection {
		c := conn
		c.ClientCert, c.ClientKey = of.pem, of.keyPEM(t)
		return c
	}
	for name, tc := range map[string]struct {
		server *tls.Config
		conn   Connection
		want   Health
	}{
		"unknown CA": {with(good, nil), Connection{TLSServerName: "server.global.nomad"}, Health{State: HealthUntrusted,
			Cause: "its certificate is signed by an authority that isn't known here"}},
		"another CA": {with(good, nil), Connection{CACert: other.pem, TLSServerName: "server.global.nomad"},
			Health{State: HealthUntrusted, Cause: "its certificate is signed by an authority that isn't known here"}},
		"expired CA": {with(ofOldCA, nil), Connection{CACert: oldCA.pem, TLSServerName: "server.global.nomad"},
			Health{State: HealthUntrusted, Cause: "the certificate of the authority that signed its own has expired or is " +
				"not yet valid: it is valid from 2020-01-02T03:04:05Z to 2021-01-02T03:04:05Z"}},
		"expired": {with(expired, nil), conn, Health{State: HealthServerTLS, Cause: "its certificate has expired or is not " +
			"yet valid: it is valid from 2020-01-02T03:04:05Z to 2021-01-02T03:04:05Z"}},
		"a client's": {with(forClients, nil), conn, Health{State: HealthServerTLS,
			Cause: "its certificate isn't one for servers"}},
		"no name": {with(good, nil), Connection{CACert: ca.pem}, Health{State: HealthNameMismatch,
			Cause: `its certificate is for server.global.nomad, and not for "127.0.0.1"`}},
		"wrong name": {with(good, nil), Connection{CACert: ca.pem, TLSServerName: "server.eu.nomad"},
			Health{State: HealthNameMismatch, Cause: `its certificate is for server.global.nomad, and not for "server.eu.nomad"`}},
		"old TLS": {with(good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
			conn, Health{State: HealthServerTLS, Cause: "it ended the TLS handshake: protocol version not supported"}},
		"no client certificate": {with(good, mutual), conn, Health{State: HealthClientCertificate,
			Cause: "it ended the TLS handshake: certificate required"}},
		"nor by TLS 1.2": {with(good, mutual12), conn, Health{State: HealthClientCertificate,
			Cause: "it ended the TLS handshake: handshake failure"}},
		"an expired one": {with(good, mutual), by(stale), Health{State: HealthClientCertificate,
			Cause: "it ended the TLS handshake: expired certificate"}},
		"another CA's": {with(good, mutual), by(othersCert), Health{State: HealthClientCertificate,
			Cause: "it ended the TLS handshake: unknown certificate authority"}},
		"all well": {with(good, mutual), by(client), Health{State: HealthReachable}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			s := httptest.NewUnstartedServer(f.Config.Handler)
			s.TLS, s.Config.ErrorLog = tc.server, log.New(io.Discard, "", 0)
			s.StartTLS()
			defer s.Close()
			tc.conn.Address = s.URL
			c := watched(t, tc.conn, &changes{})
			eventually(t, "to be told", func() bool { return c.View().Health.State != HealthUnknown })
			if got := c.View().Health; got != tc.want || got.Misconfigured() == got.OK() {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// The wrong scheme is reported as that, and not as a token that is refused.
func TestWrongSchemeIsReported(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	page := func(text string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, text)
		}))
		t.Cleanup(s.Close)
		return s
	}
	at := func(scheme string, s *httptest.Server) string { return scheme + "://" + s.Listener.Addr().String() }
	https := Health{State: HealthWrongScheme, Cause: "it speaks HTTPS"}
	for name, tc := range map[string]struct {
		address string
		want    Health
	}{
		"HTTPS":  {at("http", secure), https},
		"nginx":  {at("http", page("<html><center>The plain HTTP request was sent to HTTPS port</center>")), https},
		"Apache": {at("http", page("<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />")), https},
		"HTTP": {at("https", plain), Health{State: HealthWrongScheme,
			Cause: "it speaks HTTP, without TLS"}},
		"another 400": {at("http", page("<p>Bad")), Health{State: HealthUnreachable,
			Cause: "400 Bad Request (the body, of type text/html, isn't shown)"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := watched(t, Connection{Address: tc.address, Token: "t"}, &changes{})
			eventually(t, "to be told", func() bool { return c.View().Health.State != HealthUnknown })
			if got := c.View().Health; got != tc.want || got.Misconfigured() != (got.State == HealthWrongScheme) {
				t.Errorf("%+v waits for a person: %t", got, got.Misconfigured())
			}
		})
	}
}

// A proxy that speaks TLS with us and plain HTTP with Nomad passes the same words on. To take http:// for it would be
// wrong, and show the token to whoever listens.
func TestWrongSchemeBehindAProxyIsItsMatter(t *testing.T) {
	for scheme, wrong := range map[string]bool{"http": true, "https": false} {
		_, err := quote(&http.Response{StatusCode: http.StatusBadRequest, Body: io.NopCloser(strings.NewReader(wantsTLS[0])),
			Request: &http.Request{URL: &url.URL{Scheme: scheme}}})
		if errors.Is(err, errSpeaksHTTPS) != wrong {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// What isn't Nomad's answer says nothing about the token.
func TestTokenIsNotRefusedByOthersAnswers(t *testing.T) {
	for code, refuses := range map[int]bool{http.StatusForbidden: true, http.StatusUnauthorized: true,
		http.StatusInternalServerError: true, http.StatusBadRequest: false, http.StatusNotFound: false,
		http.StatusMethodNotAllowed: false, http.StatusTemporaryRedirect: false, http.StatusBadGateway: false} {
		f := newFakeServer(t)
		f.refuse["/v1/acl/token/self"] = refusal{code: code, body: "said"}
		found, err := direct(f).(*cluster).remote.checkToken(t.Context())
		if refused := err == nil && found.health.State == HealthTokenRefused; refused != refuses || !refused && err == nil {
			t.Errorf("%d: %+v, %v", code, found.health, err)
		}
		if err == nil {
			continue
		}
		if h := unverifiable(err); h.State != HealthTokenUnverifiable || h.Misconfigured() == (code == http.StatusBadGateway) {
			t.Errorf("%d: %+v, and it waits for a person: %t", code, h, h.Misconfigured())
		}
	}
}
