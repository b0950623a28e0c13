package nomadlink

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// directory has files as a mounted Secret has them.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// certificate is a certificate that signs itself, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano())},
		&x509.Certificate{}, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}))
}

// jwtFile is where kubelet puts the ServiceAccount's token.
const jwtFile = "/var/run/secrets/nomad/token"

func TestDefaultConfig(t *testing.T) {
	cert, key := certificate(t)
	otherCert, otherKey := certificate(t)
	env := map[string]string{
		"NOMAD_ADDR":            "https://nomad:4646/",
		"NOMAD_REGION":          "eu",
		"NOMAD_TOKEN":           " t0 \n",
		"NOMAD_TLS_SERVER_NAME": "server.eu.nomad",
	}
	pems := directory(t, map[string]string{"ca": otherCert, "cert": otherCert, "key": otherKey})
	withTLS := map[string]string{
		"NOMAD_ADDR":        "https://nomad:4646",
		"NOMAD_CACERT":      pems + "/ca",
		"NOMAD_CLIENT_CERT": pems + "/cert",
		"NOMAD_CLIENT_KEY":  pems + "/key",
	}
	fromEnv := Config{
		Connection: nomad.Connection{
			Address:       "https://nomad:4646",
			Region:        "eu",
			Token:         "t0",
			TLSServerName: "server.eu.nomad",
		},
		AddressIn: "the controller's NOMAD_ADDR", TokenIn: inEnvironment,
	}
	for name, c := range map[string]struct {
		files map[string]string // nil: there is no directory
		env   map[string]string
		want  func(dir string) Config
	}{
		"nothing": {nil, nil, func(string) Config {
			return Config{AddressIn: "the controller's NOMAD_ADDR", TokenIn: inEnvironment}
		}},
		"environment":     {nil, env, func(string) Config { return fromEnv }},
		"empty directory": {map[string]string{}, env, func(string) Config { return fromEnv }},
		"directory over environment, each for itself": {
			map[string]string{"NOMAD_TOKEN": "t1\n", "NOMAD_REGION": "us\n", "unrelated": "x"}, env,
			func(string) Config {
				c := fromEnv
				c.Token, c.Region, c.TokenIn = "t1", "us", inDefaultsSecret
				return c
			},
		},
		"an empty file counts": {map[string]string{"NOMAD_TOKEN": ""}, env, func(string) Config {
			c := fromEnv
			c.Token, c.TokenIn = "", inDefaultsSecret
			return c
		}},
		"directory alone": {
			map[string]string{"NOMAD_ADDR": "https://n:4646\n", "NOMAD_TOKEN": "t1", "ca.crt": cert, "tls.crt": cert,
				"tls.key": key},
			nil,
			func(dir string) Config {
				return Config{
					Connection: nomad.Connection{Address: "https://n:4646", Token: "t1", CACert: []byte(cert),
						ClientCert: []byte(cert), ClientKey: []byte(key)},
					TokenIn:   inDefaultsSecret,
					AddressIn: "key NOMAD_ADDR of the controller's own Secret nomad-harvester-nomad (file " + dir + "/NOMAD_ADDR)",
				}
			},
		},
		"no token anywhere": {map[string]string{}, map[string]string{"NOMAD_ADDR": "http://n:4646"}, func(string) Config {
			return Config{Connection: nomad.Connection{Address: "http://n:4646"}, AddressIn: "the controller's NOMAD_ADDR",
				TokenIn: inDefaultsSecret}
		}},
		"a login": {map[string]string{"NOMAD_ADDR": "https://n:4646", "AUTH_METHOD": "harvester\n"}, nil,
			func(dir string) Config {
				return Config{
					Connection: nomad.Connection{Address: "https://n:4646", AuthMethod: "harvester", JWTFile: jwtFile},
					TokenIn:    inDefaultsSecret,
					AddressIn:  "key NOMAD_ADDR of the controller's own Secret nomad-harvester-nomad (file " + dir + "/NOMAD_ADDR)",
				}
			},
		},
		"PEM of the environment": {nil, withTLS, func(string) Config {
			return Config{
				Connection: nomad.Connection{Address: "https://nomad:4646", CACert: []byte(otherCert),
					ClientCert: []byte(otherCert), ClientKey: []byte(otherKey)},
				AddressIn: "the controller's NOMAD_ADDR", TokenIn: inEnvironment,
			}
		}},
		"PEM of the directory over that": {map[string]string{"tls.crt": cert, "tls.key": key}, withTLS, func(string) Config {
			return Config{
				Connection: nomad.Connection{Address: "https://nomad:4646", CACert: []byte(otherCert), ClientCert: []byte(cert),
					ClientKey: []byte(key)},
				AddressIn: "the controller's NOMAD_ADDR", TokenIn: inDefaultsSecret,
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := ""
			if c.files != nil {
				dir = directory(t, c.files)
			}
			got, err := DefaultConfig(dir, jwtFile, environment(c.env))
			if err != nil {
				t.Fatal(err)
			}
			if tls := map[bool]tlsPlaces{true: tlsInEnvironment, false: tlsInDefaultsSecret}[dir == ""]; got.TLSIn != tls {
				t.Errorf("what TLS needs is said to be in %+v", got.TLSIn)
			}
			if want := c.want(dir); !same(got, want) {
				t.Errorf("got %s (%s, %s), want %s (%s, %s)", got, got.AddressIn, got.TokenIn, want, want.AddressIn, want.TokenIn)
			}
		})
	}
}

func TestDefaultConfigRefuses(t *testing.T) {
	cert, _ := certificate(t)
	_, otherKey := certificate(t)
	for name, c := range map[string]struct {
		files, env map[string]string
		want       []string
	}{
		"address": {map[string]string{"NOMAD_ADDR": "nomad:4646"}, nil,
			[]string{"key NOMAD_ADDR", DefaultsSecret, "/NOMAD_ADDR", "https://host:port"}},
		"address of env": {nil, map[string]string{"NOMAD_ADDR": "nomad:4646"}, []string{`NOMAD_ADDR: "nomad:4646"`}},
		"token": {map[string]string{"NOMAD_TOKEN": secretWord + " x"}, nil,
			[]string{"key NOMAD_TOKEN", "white space", "secret ID"}},
		"a token over http": {map[string]string{"NOMAD_ADDR": "http://nomad:4646", "NOMAD_TOKEN": secretWord}, nil,
			[]string{"key NOMAD_ADDR", "http://nomad:4646 isn't https"}},
		"a login over http": {map[string]string{"NOMAD_ADDR": "http://nomad:4646", "AUTH_METHOD": "m"}, nil,
			[]string{"key NOMAD_ADDR", "http://nomad:4646 isn't https"}},
		"a login and a token": {map[string]string{"NOMAD_TOKEN": secretWord, "AUTH_METHOD": "m"}, nil,
			[]string{"key AUTH_METHOD", "NOMAD_TOKEN as well"}},
		"no auth method": {map[string]string{"AUTH_METHOD": "a b"}, nil,
			[]string{"key AUTH_METHOD", `"a b" is not the name of an auth method`}},
		"namespaces": {map[string]string{"ALLOWED_NAMESPACES": "a, ["}, nil, []string{"key ALLOWED_NAMESPACES", `"["`}},
		"addresses": {nil, map[string]string{"ALLOWED_ADDRESSES": "https://n:4646"},
			[]string{"ALLOWED_ADDRESSES", `"https://n:4646"`, "nomad.example.com:4646"}},
		"CA": {map[string]string{"ca.crt": "x"}, nil, []string{"key ca.crt", "PEM"}},
		"server name": {map[string]string{"NOMAD_TLS_SERVER_NAME": "a b"}, nil,
			[]string{"key NOMAD_TLS_SERVER_NAME", `"a b"`, "server.REGION.nomad"}},
		"server name of env": {nil, map[string]string{"NOMAD_TLS_SERVER_NAME": "a\nb"}, []string{`NOMAD_TLS_SERVER_NAME: "a\nb"`}},
		"region":             {map[string]string{"NOMAD_REGION": "e u"}, nil, []string{"key NOMAD_REGION", `"e u"`}},
		"key is missing": {map[string]string{"tls.crt": cert}, nil,
			[]string{"key tls.key", "is missing while key tls.crt"}},
		"no pair": {map[string]string{"tls.crt": cert, "tls.key": otherKey}, nil,
			[]string{"key tls.crt", "key tls.key", "no usable pair"}},
		"file that is none": {nil, map[string]string{"NOMAD_CACERT": "/absent"},
			[]string{"NOMAD_CACERT", "/absent", "mount the file"}},
		"two at once": {map[string]string{"NOMAD_ADDR": "x", "ca.crt": "x"}, nil, []string{"key NOMAD_ADDR", "key ca.crt"}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := DefaultConfig(directory(t, c.files), jwtFile, environment(c.env))
			if err == nil {
				t.Fatalf("got %s", conn)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secretWord) {
				t.Errorf("a secret is in %q", err)
			}
		})
	}
	if conn, err := DefaultConfig(filepath.Join(t.TempDir(), "absent"), jwtFile, environment(nil)); err != nil ||
		conn.Address != "" {
		t.Errorf("a Secret that comes later: %s, %v", conn, err)
	}
}

func TestALoginNeedsAServiceAccountToken(t *testing.T) {
	_, err := DefaultConfig("", "", environment(map[string]string{"AUTH_METHOD": "m"}))
	if err == nil || !strings.Contains(err.Error(), "--nomad-auth-token-file") {
		t.Errorf("got %v", err)
	}
}

// A token may be sent over http within its host, and whom it serves is read beside it.
func TestDefaultConfigSaysWhatPoolsMay(t *testing.T) {
	conn, err := DefaultConfig(directory(t, map[string]string{"ALLOWED_NAMESPACES": "prod, dev/*\n"}), jwtFile, environment(
		map[string]string{"NOMAD_ADDR": "http://127.0.0.1:4646", "NOMAD_TOKEN": "t", "ALLOWED_ADDRESSES": "n:4646"}))
	if err != nil {
		t.Fatal(err)
	}
	if !conn.Namespaces.credentials("dev", "x", "", true) || conn.Namespaces.credentials("test", "x", "", true) ||
		!conn.Addresses.address("n:4646") || conn.Addresses.address("m:4646") {
		t.Errorf("namespaces %q, addresses %q", conn.Namespaces, conn.Addresses)
	}
}

// What else is wrong doesn't keep an address in use that was taken off the list.
func TestDefaultConfigWithAnErrorSaysWhichAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int // addresses; -1: they aren't known
	}{
		"none any more": {map[string]string{"NOMAD_ADDR": "x"}, 0},
		"one":           {map[string]string{"NOMAD_ADDR": "x", "ALLOWED_ADDRESSES": "n:4646"}, 1},
		"no list":       {map[string]string{"ALLOWED_ADDRESSES": "https://n:4646"}, -1},
	} {
		conn, err := DefaultConfig(directory(t, c.files), jwtFile, environment(nil))
		if err == nil || (conn.Addresses == nil) != (c.want < 0) || len(conn.Addresses) != max(c.want, 0) {
			t.Errorf("%s: %q, %v", name, conn.Addresses, err)
		}
	}
}

// A Secret is exchanged as a whole while it is read: what is used is all of one, or all of the next.
func TestDefaultConfigIsOfOneVersion(t *testing.T) {
	dir := t.TempDir()
	for _, v := range []string{"1", "2"} {
		if err := os.Mkdir(filepath.Join(dir, ".."+v), 0o700); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"NOMAD_ADDR": "https://nomad-" + v + ":4646", "NOMAD_TOKEN": "token-" + v}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, ".."+v, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	point := func(v string) {
		_ = os.Remove(filepath.Join(dir, "..data"))
		if err := os.Symlink(".."+v, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	point("1")
	for _, name := range []string{"NOMAD_ADDR", "NOMAD_TOKEN"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	exchanged := false
	getenv := func(string) string { // asked for what has no file, when the others have been read
		if !exchanged {
			exchanged = true
			point("2")
		}
		return ""
	}
	conn, err := DefaultConfig(dir, jwtFile, getenv)
	if err != nil || conn.Address != "https://nomad-2:4646" || conn.Token != "token-2" {
		t.Errorf("got %s with %q, %v", conn, conn.Token, err)
	}
}
