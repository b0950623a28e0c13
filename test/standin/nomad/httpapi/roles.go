package httpapi

import (
	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// has reports if the caller's token has the role.
func (c *call) has(role *api.ACLRole) bool {
	if c.may.IsManagement() {
		return true
	}
	for _, link := range c.token.Roles {
		if link.ID == role.ID {
			return true
		}
	}
	return false
}

// listRoles shows everybody but management their own roles.
func listRoles(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.ACLRoleListStub, error) {
		stubs, err := list(c, kept(state.Roles.All(s), c.has), func(r *api.ACLRole) string { return r.ID },
			func(r *api.ACLRole) *api.ACLRoleListStub {
				return &api.ACLRoleListStub{
					ID: r.ID, Name: r.Name, Description: r.Description, Policies: r.Policies, CreateIndex: r.CreateIndex,
					ModifyIndex: r.ModifyIndex,
				}
			})
		return s.Index(state.Roles.Name), stubs, err
	})
}

func readRole(c *call) (any, error) {
	return c.findRole(func(r *api.ACLRole) bool { return r.ID == c.id() })
}

func readRoleByName(c *call) (any, error) {
	return c.findRole(func(r *api.ACLRole) bool { return r.Name == c.id() })
}

func (c *call) findRole(is func(*api.ACLRole) bool) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *api.ACLRole, error) {
		for _, r := range state.Roles.All(s) {
			if is(r) {
				return r.ModifyIndex, r, need(c.has(r))
			}
		}
		return s.Index(state.Roles.Name), nil, notFound("ACL role")
	})
}

func upsertRole(c *call) (any, error) {
	var in api.ACLRole
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.ID != c.id() {
		return nil, badRequest("ACL role ID does not match request path")
	}
	if !validPolicyName.MatchString(in.Name) || len(in.Policies) == 0 {
		return nil, badRequest("role 0 invalid: name has to be valid and at least one policy linked")
	}
	return c.wrote(&in, func(tx *state.Txn) error {
		if in.ID != "" && state.Roles.Get(tx, in.ID) == nil {
			return badRequest("cannot find role %s", in.ID)
		}
		for _, link := range in.Policies {
			if state.Policies.Get(tx, link.Name) == nil {
				return badRequest("cannot find policy %s", link.Name)
			}
		}
		for _, other := range state.Roles.All(tx) {
			if other.Name == in.Name && other.ID != in.ID {
				return badRequest("role with name %s already exists", in.Name)
			}
		}
		if in.ID == "" {
			in.ID = uuid.NewString()
		}
		state.Roles.Put(tx, &in)
		return nil
	})
}

func deleteRole(c *call) (any, error) {
	return c.wrote(nil, func(tx *state.Txn) error {
		if state.Roles.Get(tx, c.id()) == nil {
			return notFound("ACL role")
		}
		state.Roles.Delete(tx, c.id())
		return nil
	})
}
