package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// facts/nomad.md §4: a login by JWT gives what its binding rules say, for as long as its method says.
func TestLoginNeedsAMethodAndABinding(t *testing.T) {
	w := newLeader(t, true)
	boot, _, err := w.client.ACLTokens().Bootstrap(nil)
	w.must(err)
	admin := w.as(boot.SecretID)
	if _, _, err := w.client.ACLAuth().Login(&api.ACLLoginRequest{AuthMethodName: "none", LoginToken: "x"}, nil); statusOf(
		err) != http.StatusNotFound {
		t.Errorf("no method: %v", err)
	}
	keys := w.server.Keyring()
	signed, err := keys.Introduce("global", "n", "p", time.Now(), testLife)
	w.must(err)
	_, _, err = admin.ACLAuthMethods().
		Create(&api.ACLAuthMethod{Name: "own", Type: "JWT", TokenLocality: "local", MaxTokenTTL: testLife,
			Config: &api.ACLAuthMethodConfig{
				JWKSURL: w.url + "/.well-known/jwks.json", SigningAlgs: []string{"EdDSA"},
				BoundAudiences: []string{"nomadproject.io"},
				ClaimMappings:  map[string]string{"nomad_node_name": "name"}}}, nil)
	w.must(err)
	login := &api.ACLLoginRequest{AuthMethodName: "own", LoginToken: signed}
	if _, _, err := w.client.ACLAuth().Login(login, nil); statusOf(err) != http.StatusBadRequest {
		t.Errorf("no binding: %v", err)
	}
	_, err = admin.ACLPolicies().Upsert(&api.ACLPolicy{Name: "p", Rules: `node { policy = "read" }`}, nil)
	w.must(err)
	_, _, err = admin.ACLBindingRules().
		Create(&api.ACLBindingRule{AuthMethod: "own", Selector: `value.name == "n"`, BindType: "policy", BindName: "p"}, nil)
	w.must(err)
	token, _, err := w.client.ACLAuth().Login(login, nil)
	w.must(err)
	if token.ExpirationTime == nil || token.ExpirationTime.Before(time.Now()) {
		t.Errorf("%+v", token)
	}
	if _, _, err := w.as(token.SecretID).Nodes().List(nil); err != nil {
		t.Error(err)
	}
}

const testLife = time.Minute
