package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/httpapi"
)

// A region that is federated answers through this one; facts/nomad.md §5.
func TestOtherRegionAnswersThroughThisOne(t *testing.T) {
	far, near := newWorld(t, false), newWorld(t, false)
	id := far.node("far", nil)
	here := httptest.NewServer(httpapi.New(near.server, httpapi.Options{Region: "near", Regions: map[string]string{"global": far.url}}))
	defer here.Close()
	client, err := api.NewClient(&api.Config{Address: here.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if nodes, _, err := client.Nodes().List(&api.QueryOptions{Region: "global"}); err != nil || len(nodes) != 1 || nodes[0].ID != id {
		t.Errorf("%v, %v", nodes, err)
	}
	if nodes, _, err := client.Nodes().List(nil); err != nil || len(nodes) != 0 {
		t.Errorf("%v, %v", nodes, err)
	}
	if regions, err := client.Regions().List(); err != nil || len(regions) != 2 {
		t.Errorf("%v, %v", regions, err)
	}
}

// facts/nomad.md §4: a login by JWT gives what its binding rules say, for as long as its method says.
func TestLoginNeedsAMethodAndABinding(t *testing.T) {
	w := newWorld(t, true)
	boot, _, err := w.client.ACLTokens().Bootstrap(nil)
	w.must(err)
	admin := w.as(boot.SecretID)
	if _, _, err := w.client.ACLAuth().Login(&api.ACLLoginRequest{AuthMethodName: "none", LoginToken: "x"}, nil); statusOf(err) != http.StatusNotFound {
		t.Errorf("no method: %v", err)
	}
	keys := w.server.Keyring()
	signed, err := keys.Introduce("global", "n", "p", time.Now(), testLife)
	w.must(err)
	_, _, err = admin.ACLAuthMethods().Create(&api.ACLAuthMethod{Name: "own", Type: "JWT", TokenLocality: "local", MaxTokenTTL: testLife, Config: &api.ACLAuthMethodConfig{
		JWKSURL: w.url + "/.well-known/jwks.json", SigningAlgs: []string{"EdDSA"}, BoundAudiences: []string{"nomadproject.io"},
		ClaimMappings: map[string]string{"nomad_node_name": "name"},
	}}, nil)
	w.must(err)
	login := &api.ACLLoginRequest{AuthMethodName: "own", LoginToken: signed}
	if _, _, err := w.client.ACLAuth().Login(login, nil); statusOf(err) != http.StatusBadRequest {
		t.Errorf("no binding: %v", err)
	}
	_, err = admin.ACLPolicies().Upsert(&api.ACLPolicy{Name: "p", Rules: `node { policy = "read" }`}, nil)
	w.must(err)
	_, _, err = admin.ACLBindingRules().Create(&api.ACLBindingRule{AuthMethod: "own", Selector: `value.name == "n"`, BindType: "policy", BindName: "p"}, nil)
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
