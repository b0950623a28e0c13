package authmethod

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/hashicorp/nomad/api"
)

const discovery = `{"issuer": "https://kubernetes.default.svc", "jwks_uri": "https://10.0.0.1:6443/openid/v1/jwks"}`

func published(t *testing.T, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The API server's keys come out as Nomad's own type reads them, and nothing else is accepted.
func TestConfigIsWhatNomadReads(t *testing.T) {
	first, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Config([]byte(discovery), published(t, jose.JSONWebKey{Key: first.Public(), KeyID: "1", Algorithm: "RS256"},
		jose.JSONWebKey{Key: second.Public(), KeyID: "2"}), "nomad")
	if err != nil {
		t.Fatal(err)
	}
	var got api.ACLAuthMethodConfig
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got.BoundIssuer, ",") != "https://kubernetes.default.svc" ||
		strings.Join(got.BoundAudiences, ",") != "nomad" || strings.Join(got.SigningAlgs, ",") != "RS256,ES384" ||
		got.ClaimMappings["sub"] != "sub" || len(got.JWTValidationPubKeys) != 2 {
		t.Fatalf("got %s", text)
	}
	block, _ := pem.Decode([]byte(got.JWTValidationPubKeys[0]))
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil || !first.PublicKey.Equal(key) {
		t.Errorf("got %v, %v", key, err)
	}
}

func TestWhatIsNoKeyIsNamed(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ discovery, keys, want string }{
		"no issuer":   {"{}", "", "who issues"},
		"no JSON":     {"<html>", "", "who issues"},
		"no keys":     {discovery, `{"keys": []}`, "no keys"},
		"no JWKS":     {discovery, "<html>", "no keys"},
		"Ed25519":     {discovery, string(published(t, jose.JSONWebKey{Key: public, KeyID: "k"})), `key "k"`},
		"private":     {discovery, string(published(t, jose.JSONWebKey{Key: private, KeyID: "k"})), `key "k"`},
		"private EC":  {discovery, string(published(t, jose.JSONWebKey{Key: secret, KeyID: "k", Algorithm: "ES256"})), `key "k"`},
		"a symmetric": {discovery, `{"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}]}`, `key "k"`},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := Config([]byte(c.discovery), []byte(c.keys), "nomad")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %s, %v", text, err)
			}
		})
	}
}
