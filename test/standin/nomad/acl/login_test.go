package acl_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
)

func TestLogin(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/keys" {
			_ = json.NewEncoder(w).Encode(map[string]string{"jwks_uri": "http://" + r.Host + "/keys"})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []acl.JWK{{
			Type: "EC", KeyID: "k", Curve: "P-256",
			X: base64.RawURLEncoding.EncodeToString(point[1:33]), Y: base64.RawURLEncoding.EncodeToString(point[33:]),
		}}})
	}))
	defer jwks.Close()
	now := time.Now()
	sign := func(issuer, audience string, expires time.Time) string {
		token := jwt.NewWithClaims(jwt.SigningMethodES256,
			jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "me", "exp": expires.Unix(), "groups": []string{"a", "b"}})
		token.Header["kid"] = "k"
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	for name, config := range map[string]api.ACLAuthMethodConfig{
		"pem": {JWTValidationPubKeys: []string{public}}, "jwks": {JWKSURL: jwks.URL + "/keys"},
		"oidc": {OIDCDiscoveryURL: jwks.URL},
	} {
		config.BoundIssuer, config.BoundAudiences, config.SigningAlgs = []string{"i"}, []string{"nomad"}, []string{"ES256"}
		config.ClaimMappings, config.ListClaimMappings = map[string]string{"sub": "sub"}, map[string]string{
			"groups": "groups"}
		method := &api.ACLAuthMethod{Config: &config}
		claims, err := acl.Login(t.Context(), method, sign("i", "nomad", now.Add(time.Minute)), now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		id := acl.IdentityOf(&config, claims)
		if id.Value["sub"] != "me" || len(id.List["groups"]) != 2 {
			t.Errorf("%s: %+v", name, id)
		}
		for what, bad := range map[string]string{
			"issuer": sign("j", "nomad", now.Add(time.Minute)), "audience": sign("i", "vault", now.Add(time.Minute)),
			"time": sign("i", "nomad", now.Add(-time.Minute)),
		} {
			if _, err := acl.Login(t.Context(), method, bad, now); err == nil {
				t.Errorf("%s: wrong %s is let in", name, what)
			}
		}
	}
}

func TestBindingRules(t *testing.T) {
	id := acl.Identity{Value: map[string]string{"sub": "system:serviceaccount:ns:sa"},
		List: map[string][]string{"groups": {"ops"}}}
	rules := []*api.ACLBindingRule{
		{Selector: `value.sub == "system:serviceaccount:ns:sa"`, BindType: "policy", BindName: "p-${value.sub}"},
		{Selector: `value.sub == "other"`, BindType: "management"},
		{Selector: `"ops" in list.groups`, BindType: "role", BindName: "r"},
		{Selector: `value.none == "x"`, BindType: "management"},
	}
	b, err := acl.Bind(rules, id)
	if err != nil || b.Management || len(b.Policies) != 1 || b.Policies[0] != "p-system:serviceaccount:ns:sa" ||
		len(b.Roles) != 1 ||
		b.None() {
		t.Errorf("got %+v, %v", b, err)
	}
	if b, err := acl.Bind(rules[1:2], id); err != nil || !b.None() {
		t.Errorf("got %+v, %v", b, err)
	}
}
