package acl_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
)

type source struct {
	tokens   map[string]*api.ACLToken
	roles    map[string]*api.ACLRole
	policies map[string]*api.ACLPolicy
}

func (s source) ACLTokenBySecret(secret string) *api.ACLToken { return s.tokens[secret] }
func (s source) ACLRoleByID(id string) *api.ACLRole           { return s.roles[id] }
func (s source) ACLPolicyByName(name string) *api.ACLPolicy   { return s.policies[name] }

func TestWhoASecretStandsFor(t *testing.T) {
	now := time.Now()
	past, good, old := now.Add(-time.Second), uuid.NewString(), uuid.NewString()
	s := source{tokens: map[string]*api.ACLToken{good: {Name: "good"}, old: {ExpirationTime: &past}}}
	for secret, want := range map[string]error{good: nil, old: acl.ErrTokenExpired, uuid.NewString(): acl.ErrTokenNotFound,
		"x": acl.ErrNoToken, "": nil} {
		token, err := acl.TokenOf(s, secret, now)
		if !errors.Is(err, want) || want == nil && token == nil {
			t.Errorf("%q: %v, %v", secret, token, err)
		}
	}
	if anonymous, err := acl.TokenOf(s, "", now); err != nil || anonymous.AccessorID != "anonymous" {
		t.Errorf("%+v, %v", anonymous, err)
	}
}

func TestPoliciesOfRolesCount(t *testing.T) {
	s := source{
		roles:    map[string]*api.ACLRole{"r": {Policies: []*api.ACLRolePolicyLink{{Name: "p"}, {Name: "gone"}}}},
		policies: map[string]*api.ACLPolicy{"p": {Rules: `node { policy = "write" }`}, "bad": {Rules: "node {"}},
	}
	token := &api.ACLToken{Type: acl.TypeClient, Policies: []string{"p"},
		Roles: []*api.ACLTokenRoleLink{{ID: "r"}, {ID: "gone"}}}
	if names := acl.PolicyNames(s, token); len(names) != 2 {
		t.Errorf("got %v", names)
	}
	if a, err := acl.Of(s, token); err != nil || !a.AllowNodeWrite() || a.IsManagement() {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := acl.Of(s, &api.ACLToken{Type: acl.TypeManagement}); err != nil || !a.IsManagement() {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := acl.Of(s, &api.ACLToken{Policies: []string{"bad"}}); err == nil {
		t.Error("a broken policy grants")
	}
}
