package state

import "github.com/hashicorp/nomad/api"

// What decides on who may do what.
var (
	Tokens = table(&Table[api.ACLToken]{
		Name: "acl_token", id: func(t *api.ACLToken) string { return t.AccessorID },
		by: map[string]func(*api.ACLToken) string{BySecret: func(t *api.ACLToken) string { return t.SecretID }},
		stamp: func(t, old *api.ACLToken, index uint64) {
			t.CreateIndex, t.ModifyIndex = created(old, index, func(o *api.ACLToken) uint64 { return o.CreateIndex }), index
		},
	})
	Policies = table(&Table[api.ACLPolicy]{
		Name: "acl_policy", id: func(p *api.ACLPolicy) string { return p.Name },
		stamp: func(p, old *api.ACLPolicy, index uint64) {
			p.CreateIndex, p.ModifyIndex = created(old, index, func(o *api.ACLPolicy) uint64 { return o.CreateIndex }), index
		},
	})
	Roles = table(&Table[api.ACLRole]{
		Name: "acl_roles", id: func(r *api.ACLRole) string { return r.ID },
		stamp: func(r, old *api.ACLRole, index uint64) {
			r.CreateIndex, r.ModifyIndex = created(old, index, func(o *api.ACLRole) uint64 { return o.CreateIndex }), index
		},
	})
	AuthMethods = table(&Table[api.ACLAuthMethod]{
		Name: "acl_auth_methods", id: func(m *api.ACLAuthMethod) string { return m.Name },
		stamp: func(m, old *api.ACLAuthMethod, index uint64) {
			m.CreateIndex, m.ModifyIndex = created(old, index, func(o *api.ACLAuthMethod) uint64 { return o.CreateIndex }), index
		},
	})
	BindingRules = table(&Table[api.ACLBindingRule]{
		Name: "acl_binding_rules", id: func(r *api.ACLBindingRule) string { return r.ID },
		by: map[string]func(*api.ACLBindingRule) string{ByMethod: func(r *api.ACLBindingRule) string { return r.AuthMethod }},
		stamp: func(r, old *api.ACLBindingRule, index uint64) {
			r.CreateIndex, r.ModifyIndex = created(old, index, func(o *api.ACLBindingRule) uint64 { return o.CreateIndex }), index
		},
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
