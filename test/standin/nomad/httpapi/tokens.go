package httpapi

import (
	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

func tokenStub(t *api.ACLToken) *api.ACLTokenListStub {
	return &api.ACLTokenListStub{
		AccessorID: t.AccessorID, Name: t.Name, Type: t.Type, Policies: t.Policies, Roles: t.Roles, Global: t.Global,
		CreateTime: t.CreateTime, ExpirationTime: t.ExpirationTime, CreateIndex: t.CreateIndex, ModifyIndex: t.ModifyIndex,
	}
}

func listTokens(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.ACLTokenListStub, error) {
		stubs, err := list(c, state.Tokens.All(s), func(t *api.ACLToken) string { return t.AccessorID }, tokenStub)
		return s.Index(state.Tokens.Name), stubs, err
	})
}

func readOwnToken(c *call) (any, error) {
	c.setMeta(max(c.token.ModifyIndex, 1))
	return c.token, nil
}

// readToken shows a token to management, and to itself.
func readToken(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.ACLToken, error) {
		index := s.Index(state.Tokens.Name)
		if err := need(c.may.IsManagement() || c.token.AccessorID == c.id()); err != nil {
			return index, nil, err
		}
		t := state.Tokens.Get(s, c.id())
		if t == nil {
			return index, nil, notFound("ACL token")
		}
		return t.ModifyIndex, t, nil
	})
}

// checkToken refuses a token that makes no sense.
func checkToken(t *api.ACLToken) error {
	switch {
	case t.Type != acl.TypeClient && t.Type != acl.TypeManagement:
		return badRequest("token 0 invalid: token type must be client or management")
	case t.Type == acl.TypeClient && len(t.Policies) == 0 && len(t.Roles) == 0:
		return badRequest("token 0 invalid: client token missing policies or roles")
	case t.Type == acl.TypeManagement && (len(t.Policies) > 0 || len(t.Roles) > 0):
		return badRequest("token 0 invalid: management token cannot be associated with policies or roles")
	}
	return nil
}

// linked fills in the names and IDs of the roles that a token names by one of them.
func linked(tx *state.Txn, t *api.ACLToken) error {
	for i, link := range t.Roles {
		role := state.Roles.Get(tx, link.ID)
		for _, r := range state.Roles.All(tx) {
			if role == nil && link.ID == "" && r.Name == link.Name {
				role = r
			}
		}
		if role == nil {
			return badRequest("cannot find role %s", link.ID+link.Name)
		}
		t.Roles[i] = &api.ACLTokenRoleLink{ID: role.ID, Name: role.Name}
	}
	return nil
}

func createToken(c *call) (any, error) {
	var in api.ACLToken
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.AccessorID != "" {
		return nil, badRequest("cannot set accessor ID when creating a token")
	}
	in.AccessorID, in.SecretID, in.CreateTime = uuid.NewString(), uuid.NewString(), c.api.now().UTC()
	if err := checkToken(&in); err != nil {
		return nil, err
	}
	var err error
	if in.ExpirationTime, err = c.expiry(in.CreateTime, in.ExpirationTTL); err != nil {
		return nil, err
	}
	return c.putToken(&in)
}

func (c *call) putToken(t *api.ACLToken) (any, error) {
	return c.wrote(t, func(tx *state.Txn) error {
		if err := linked(tx, t); err != nil {
			return err
		}
		state.Tokens.Put(tx, t)
		return nil
	})
}

// updateToken keeps what identifies the token, and how long it lives.
func updateToken(c *call) (any, error) {
	var in api.ACLToken
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.AccessorID != c.id() {
		return nil, badRequest("Token Accessor ID does not match path")
	}
	if err := checkToken(&in); err != nil {
		return nil, err
	}
	old := state.Tokens.Get(c.api.server.Store().Read(), in.AccessorID)
	switch {
	case old != nil:
		in.SecretID, in.CreateTime = old.SecretID, old.CreateTime
		in.ExpirationTime, in.ExpirationTTL, in.Global = old.ExpirationTime, old.ExpirationTTL, old.Global
	case in.SecretID == "": // which only an upload brings along
		return nil, badRequest("token 0 invalid: cannot find token %s", in.AccessorID)
	default:
		in.CreateTime = c.api.now().UTC()
	}
	return c.putToken(&in)
}

func deleteToken(c *call) (any, error) {
	return c.wrote(nil, func(tx *state.Txn) error {
		if state.Tokens.Get(tx, c.id()) == nil {
			return badRequest("cannot find token %s", c.id())
		}
		state.Tokens.Delete(tx, c.id())
		return nil
	})
}
