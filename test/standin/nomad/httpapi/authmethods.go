package httpapi

import (
	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// listMethods is for those who want to log in, and asks for no token.
func listMethods(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.ACLAuthMethodListStub, error) {
		stubs, err := list(c, state.AuthMethods.All(s), func(m *api.ACLAuthMethod) string { return m.Name },
			func(m *api.ACLAuthMethod) *api.ACLAuthMethodListStub {
				return &api.ACLAuthMethodListStub{Name: m.Name, Type: m.Type, Default: m.Default, CreateIndex: m.CreateIndex,
					ModifyIndex: m.ModifyIndex}
			})
		return s.Index(state.AuthMethods.Name), stubs, err
	})
}

func readMethod(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.ACLAuthMethod, error) {
		m := state.AuthMethods.Get(s, c.id())
		if m == nil {
			return s.Index(state.AuthMethods.Name), nil, notFound("ACL auth-method")
		}
		return m.ModifyIndex, m, nil
	})
}

func upsertMethod(c *call) (any, error) {
	var in api.ACLAuthMethod
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = c.id()
	}
	config := c.api.server.Config()
	switch {
	case !validPolicyName.MatchString(in.Name):
		return nil, badRequest("auth method 0 invalid: invalid name '%s'", in.Name)
	case in.Type != api.ACLAuthMethodTypeJWT && in.Type != api.ACLAuthMethodTypeOIDC:
		return nil, badRequest("auth method 0 invalid: invalid token type '%s'", in.Type)
	case in.MaxTokenTTL < config.TokenMinTTL || in.MaxTokenTTL > config.TokenMaxTTL:
		return nil, badRequest("auth method 0 invalid: invalid MaxTokenTTL value '%s' (should be between %s and %s)",
			in.MaxTokenTTL, config.TokenMinTTL, config.TokenMaxTTL)
	}
	in.ModifyTime = c.api.now().UTC()
	return c.wrote(&in, func(tx *state.Txn) error {
		in.CreateTime = in.ModifyTime
		if old := state.AuthMethods.Get(tx, in.Name); old != nil {
			in.CreateTime = old.CreateTime
		}
		state.AuthMethods.Put(tx, &in)
		return nil
	})
}

func deleteMethod(c *call) (any, error) {
	return c.wrote(nil, func(tx *state.Txn) error {
		if state.AuthMethods.Get(tx, c.id()) == nil {
			return notFound("ACL auth-method")
		}
		for _, rule := range state.BindingRules.By(tx, state.ByMethod, c.id()) {
			state.BindingRules.Delete(tx, rule.ID)
		}
		state.AuthMethods.Delete(tx, c.id())
		return nil
	})
}

func listBindings(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.ACLBindingRuleListStub, error) {
		stubs, err := list(c, state.BindingRules.All(s), func(r *api.ACLBindingRule) string { return r.ID },
			func(r *api.ACLBindingRule) *api.ACLBindingRuleListStub {
				return &api.ACLBindingRuleListStub{ID: r.ID, Description: r.Description, AuthMethod: r.AuthMethod,
					CreateIndex: r.CreateIndex, ModifyIndex: r.ModifyIndex}
			})
		return s.Index(state.BindingRules.Name), stubs, err
	})
}

func readBinding(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.ACLBindingRule, error) {
		r := state.BindingRules.Get(s, c.id())
		if r == nil {
			return s.Index(state.BindingRules.Name), nil, notFound("ACL binding rule")
		}
		return r.ModifyIndex, r, nil
	})
}

func upsertBinding(c *call) (any, error) {
	var in api.ACLBindingRule
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.ID != c.id() {
		return nil, badRequest("ACL binding rule ID does not match request path")
	}
	in.ModifyTime = c.api.now().UTC()
	return c.wrote(&in, func(tx *state.Txn) error {
		if state.AuthMethods.Get(tx, in.AuthMethod) == nil {
			return badRequest("ACL auth method %s not found", in.AuthMethod)
		}
		in.CreateTime = in.ModifyTime
		switch old := state.BindingRules.Get(tx, in.ID); {
		case in.ID == "":
			in.ID = uuid.NewString()
		case old == nil:
			return badRequest("cannot find binding rule %s", in.ID)
		default:
			in.CreateTime = old.CreateTime
		}
		state.BindingRules.Put(tx, &in)
		return nil
	})
}

func deleteBinding(c *call) (any, error) {
	return c.wrote(nil, func(tx *state.Txn) error {
		if state.BindingRules.Get(tx, c.id()) == nil {
			return notFound("ACL binding rule")
		}
		state.BindingRules.Delete(tx, c.id())
		return nil
	})
}
