package httpapi

import (
	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var authRoutes = map[string]methods{
	"/v1/acl/auth-methods": {get: listMethods, open: true},
	"/v1/acl/auth-method":  {put: managed(upsertMethod)},
	"/v1/acl/auth-method/{id}": {get: managed(readMethod), put: managed(upsertMethod),
		del: managed(deleteMethod)},
	"/v1/acl/binding-rules": {get: managed(listBindings)},
	"/v1/acl/binding-rule":  {put: managed(upsertBinding)},
	"/v1/acl/binding-rule/{id}": {get: managed(readBinding), put: managed(upsertBinding),
		del: managed(deleteBinding)},
	"/v1/acl/login": {put: login, open: true},
	"/v1/acl/identity/client-introduction-token": {put: introduce},
	"/.well-known/jwks.json":                     {get: publicKeys, open: true},
}

// login exchanges a JWT for a token (facts/nomad.md §4).
func login(c *call) (any, error) {
	if !c.api.options.ACL {
		return nil, acl.ErrDisabled
	}
	var in api.ACLLoginRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	snapshot := c.api.server.Store().Read()
	method := state.AuthMethods.Get(snapshot, in.AuthMethodName)
	if method == nil {
		return nil, notFound("auth-method " + in.AuthMethodName)
	}
	now := c.api.now().UTC()
	claims, err := acl.Login(c.r.Context(), method, in.LoginToken, now)
	if err != nil {
		return nil, err
	}
	rules := state.BindingRules.By(snapshot, state.ByMethod, method.Name)
	binding, err := acl.Bind(rules, acl.IdentityOf(method.Config, claims))
	if err != nil {
		return nil, err
	}
	if binding.None() {
		return nil, acl.ErrNoBinding
	}
	token := &api.ACLToken{
		AccessorID: uuid.NewString(), SecretID: uuid.NewString(), Name: method.Type + "-" + method.Name, Type: acl.TypeClient,
		Global: method.TokenLocality == api.ACLAuthMethodTokenLocalityGlobal, CreateTime: now,
		ExpirationTTL: method.MaxTokenTTL,
	}
	if token.ExpirationTime, err = c.expiry(now, method.MaxTokenTTL); err != nil {
		return nil, err
	}
	if binding.Management {
		token.Type = acl.TypeManagement
		return c.putToken(token)
	}
	token.Policies = kept(binding.Policies, func(name string) bool { return snapshot.ACLPolicyByName(name) != nil })
	for _, name := range binding.Roles {
		token.Roles = append(token.Roles, &api.ACLTokenRoleLink{Name: name})
	}
	if len(token.Policies) == 0 && len(token.Roles) == 0 {
		return nil, acl.ErrNoBinding
	}
	return c.putToken(token)
}

// introduce signs an introduction token; node:write is needed (facts/nomad.md §4).
func introduce(c *call) (any, error) {
	if err := need(c.may.AllowNodeWrite()); err != nil {
		return nil, err
	}
	var in api.ACLIdentityClientIntroductionTokenRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := c.api.server.Writable(); err != nil {
		return nil, err
	}
	signed, err := c.api.server.IntroToken(in)
	if err != nil {
		return nil, err
	}
	return api.ACLIdentityClientIntroductionTokenResponse{JWT: signed}, nil
}

// publicKeys are there as soon as there is a leader, who makes them.
func publicKeys(c *call) (any, error) {
	keys := []acl.JWK{}
	if c.api.server.Writable() == nil {
		keys = c.api.server.Keyring().Public()
	}
	return map[string]any{"keys": keys}, nil
}
