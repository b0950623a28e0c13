package nomad

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/hashicorp/nomad/api"
	clocktesting "k8s.io/utils/clock/testing"

	testnomad "github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// issuer signs JWTs, as the API server does.
type issuer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{t, key}
}

func (i issuer) public() string {
	i.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		i.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (i issuer) sign(subject, audience string) string {
	i.t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": "https://kubernetes", "aud": []string{audience},
		"sub": subject, "exp": time.Now().Add(time.Hour).Unix()}).SignedString(i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return signed
}

// method makes an auth method that gives the policy "enough" to one subject, for a minute.
func (i issuer) method(server *testnomad.Server, subject string) {
	i.t.Helper()
	a := newAdministrator(i.t, server)
	a.policy("enough", enough)
	_, _, err := server.Client.ACLAuthMethods().Create(&api.ACLAuthMethod{
		Name: "harvester", Type: api.ACLAuthMethodTypeJWT, TokenLocality: "local", MaxTokenTTL: time.Minute,
		Config: &api.ACLAuthMethodConfig{JWTValidationPubKeys: []string{i.public()}, BoundIssuer: []string{"https://kubernetes"},
			BoundAudiences: []string{"nomad"}, SigningAlgs: []string{"ES256"}, ClaimMappings: map[string]string{"sub": "sub"}},
	}, nil)
	a.must(err)
	_, _, err = server.Client.ACLBindingRules().Create(&api.ACLBindingRule{AuthMethod: "harvester", BindType: "policy",
		BindName: "enough", Selector: `value.sub == "` + subject + `"`}, nil)
	a.must(err)
}

func TestLoginToNomad(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{ACL: true, TLS: true})
	i := newIssuer(t)
	i.method(server, "me")
	conn := Connection{Address: server.Addr, AuthMethod: "harvester", JWTFile: jwtFile(t, i.sign("me", "nomad"))}
	for field, file := range map[*[]byte]string{&conn.CACert: server.CACert, &conn.ClientCert: server.ClientCert,
		&conn.ClientKey: server.ClientKey} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		*field = text
	}
	clock := clocktesting.NewFakeClock(time.Now())
	c := newCluster(conn, Options{Clock: clock, RequestTimeout: 5 * time.Second}.withDefaults(), newShared())
	used := func() (secret string, number int) {
		t.Helper()
		if found, err := c.checkToken(t.Context()); err != nil || !found.health.OK() {
			t.Fatalf("got %+v, %v", found, err)
		}
		return c.remote.session.secret, c.remote.session.number
	}
	first, _ := used()
	clock.Step(39 * time.Second)
	if again, _ := used(); again != first {
		t.Error("it was renewed before two thirds of its life")
	}
	clock.Step(2 * time.Second)
	second, number := used()
	if second == first || number != 2 {
		t.Errorf("it wasn't renewed: login %d", number)
	}

	// The next renewal fails, and the token serves until it expires.
	if _, err := server.Client.ACLAuthMethods().Delete("harvester", nil); err != nil {
		t.Fatal(err)
	}
	clock.Step(59 * time.Second)
	if still, _ := used(); still != second {
		t.Error("another token is used")
	}
	clock.Step(time.Second)
	if found, err := c.checkToken(t.Context()); err != nil || found.health.State != HealthLoginRefused ||
		!strings.Contains(found.health.Cause, "harvester") {
		t.Errorf("got %+v, %v", found, err)
	}

	i.method(server, "me")
	clock.Step(maxLoginRetry)
	if third, _ := used(); third == second {
		t.Error("there was no login")
	}
}

// Nobody gets in but who the auth method and its binding rule are for.
func TestNomadRefusesOthersLogins(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{ACL: true})
	i := newIssuer(t)
	i.method(server, "me")
	for name, token := range map[string]string{
		"another account": i.sign("somebody", "nomad"), "another audience": i.sign("me", "https://kubernetes"),
		"another issuer's key": newIssuer(t).sign("me", "nomad"), "no token": "x",
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(Connection{Address: server.Addr, AuthMethod: "harvester", JWTFile: jwtFile(t, token)},
				Options{}.withDefaults(), newShared())
			found, err := c.checkToken(t.Context())
			if err != nil || found.health.State != HealthLoginRefused || strings.Contains(found.health.Cause, token) && token != "x" {
				t.Errorf("got %+v, %v", found, err)
			}
			t.Log(found.health.Cause)
		})
	}
}
