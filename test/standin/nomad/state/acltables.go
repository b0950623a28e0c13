package state

import "github.com/hashicorp/nomad/api"

// What decides on who may do what.
var (
	Tokens = table(&Table[api.ACLToken]{
		Name: "acl_token", id: func(t *api.ACLToken) string { return t.AccessorID },
		by:    map[string]func(*api.ACLToken) string{BySecret: func(t *api.ACLToken) string { return t.SecretID }},
		stamp: stamped(func(t *api.ACLToken) (create, modify *uint64) { return &t.CreateIndex, &t.ModifyIndex }),
	})
	Policies = table(&Table[api.ACLPolicy]{
		Name: "acl_policy", id: func(p *api.ACLPolicy) string { return p.Name },
		stamp: stamped(func(p *api.ACLPolicy) (create, modify *uint64) { return &p.CreateIndex, &p.ModifyIndex }),
	})
	Roles = table(&Table[api.ACLRole]{
		Name: "acl_roles", id: func(r *api.ACLRole) string { return r.ID },
		stamp: stamped(func(r *api.ACLRole) (create, modify *uint64) { return &r.CreateIndex, &r.ModifyIndex }),
	})
	AuthMethods = table(&Table[api.ACLAuthMethod]{
		Name: "acl_auth_methods", id: func(m *api.ACLAuthMethod) string { return m.Name },
		stamp: stamped(func(m *api.ACLAuthMethod) (create, modify *uint64) { return &m.CreateIndex, &m.ModifyIndex }),
	})
	BindingRules = table(&Table[api.ACLBindingRule]{
		Name: "acl_binding_rules", id: func(r *api.ACLBindingRule) string { return r.ID },
		by: map[string]func(*api.ACLBindingRule) string{
			ByMethod: func(r *api.ACLBindingRule) string { return r.AuthMethod },
		},
		stamp: stamped(func(r *api.ACLBindingRule) (create, modify *uint64) { return &r.CreateIndex, &r.ModifyIndex }),
	})
)

// ACLTokenBySecret finds the token with that secret, nil if there is none.
func (s *Snapshot) ACLTokenBySecret(secret string) *api.ACLToken {
	return Tokens.FirstBy(s, BySecret, secret)
}

// ACLRoleByID finds a role, nil if there is none.
func (s *Snapshot) ACLRoleByID(id string) *api.ACLRole { return Roles.Get(s, id) }

// ACLPolicyByName finds a policy, nil if there is none.
func (s *Snapshot) ACLPolicyByName(name string) *api.ACLPolicy { return Policies.Get(s, name) }
