package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var aclRoutes = map[string]methods{
	"/v1/acl/bootstrap":      {put: bootstrap, open: true},
	"/v1/acl/policies":       {get: withACL(listACLPolicies)},
	"/v1/acl/policy/self":    {get: withACL(listACLPolicies)},
	"/v1/acl/policy/{id}":    {get: withACL(readACLPolicy), put: managed(upsertACLPolicy), del: managed(deleteACLPolicy)},
	"/v1/acl/tokens":         {get: managed(listTokens)},
	"/v1/acl/token":          {put: managed(createToken)},
	"/v1/acl/token/self":     {get: withACL(readOwnToken)},
	"/v1/acl/token/{id}":     {get: withACL(readToken), put: managed(updateToken), del: managed(deleteToken)},
	"/v1/acl/roles":          {get: withACL(listRoles)},
	"/v1/acl/role":           {put: managed(upsertRole)},
	"/v1/acl/role/{id}":      {get: withACL(readRole), put: managed(upsertRole), del: managed(deleteRole)},
	"/v1/acl/role/name/{id}": {get: withACL(readRoleByName)},
}

// withACL refuses where ACLs are off.
func withACL(do handler) handler {
	return func(c *call) (any, error) {
		if !c.api.options.ACL {
			return nil, acl.ErrDisabled
		}
		return do(c)
	}
}

// managed is for management tokens alone.
func managed(do handler) handler {
	return withACL(func(c *call) (any, error) {
		if err := need(c.may.IsManagement()); err != nil {
			return nil, err
		}
		return do(c)
	})
}

const bootstrapped = "acl-bootstrap"

var errBootstrapped = badRequest("ACL bootstrap already done")

// bootstrap makes the first management token, once (facts/nomad.md §7).
func bootstrap(c *call) (any, error) {
	if !c.api.options.ACL {
		return nil, acl.ErrDisabled
	}
	if err := c.api.server.Writable(); err != nil {
		return nil, err
	}
	var in api.BootstrapRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.BootstrapSecret != "" && uuid.Validate(in.BootstrapSecret) != nil {
		return nil, badRequest("invalid acl token")
	}
	token := &api.ACLToken{
		AccessorID: uuid.NewString(), SecretID: in.BootstrapSecret, Name: "Bootstrap Token", Type: acl.TypeManagement,
		Global:     true,
		CreateTime: c.api.now().UTC(),
	}
	if token.SecretID == "" {
		token.SecretID = uuid.NewString()
	}
	return c.wrote(token, func(tx *state.Txn) error {
		if state.Settings.Get(tx, bootstrapped) != nil {
			return errBootstrapped
		}
		state.Settings.Put(tx, &state.Setting{Name: bootstrapped})
		state.Tokens.Put(tx, token)
		return nil
	})
}

// wrote does a write and answers with what it made.
func (c *call) wrote(made any, do func(*state.Txn) error) (any, error) {
	if err := c.api.server.Writable(); err != nil {
		return nil, err
	}
	index, err := c.api.server.Store().Write(do)
	if err != nil {
		return nil, err
	}
	c.setIndex(index)
	return made, nil
}

// listACLPolicies shows everybody but management only what their own token has, through roles or not: internal/nomad
// asks so what its token grants.
func listACLPolicies(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, []*api.ACLPolicyListStub, error) {
		policies := state.Policies.All(s)
		if !c.may.IsManagement() {
			own := acl.PolicyNames(s, c.token)
			policies = kept(policies, func(p *api.ACLPolicy) bool { return slices.Contains(own, p.Name) })
		}
		stubs, err := list(c, policies, func(p *api.ACLPolicy) string { return p.Name },
			func(p *api.ACLPolicy) *api.ACLPolicyListStub {
				return &api.ACLPolicyListStub{Name: p.Name, Description: p.Description, JobACL: p.JobACL,
					CreateIndex: p.CreateIndex, ModifyIndex: p.ModifyIndex}
			})
		return s.Index(state.Policies.Name, state.Roles.Name, state.Tokens.Name), stubs, err
	})
}

// shownPolicy is a policy with its rules as parsed, which nomad/api leaves out.
type shownPolicy struct {
	*api.ACLPolicy
	RulesJSON *acl.Policy
}

func readACLPolicy(c *call) (any, error) {
	return read(c, func(s *state.Snapshot) (uint64, *shownPolicy, error) {
		index := s.Index(state.Policies.Name)
		if err := need(c.may.IsManagement() || slices.Contains(acl.PolicyNames(s, c.token), c.id())); err != nil {
			return index, nil, err
		}
		p := state.Policies.Get(s, c.id())
		if p == nil {
			return index, nil, notFound("ACL policy")
		}
		rules, err := acl.Parse(p.Rules)
		return p.ModifyIndex, &shownPolicy{p, rules}, err
	})
}

var validPolicyName = regexp.MustCompile(`^[a-zA-Z0-9-]{1,128}$`)

func upsertACLPolicy(c *call) (any, error) {
	var in api.ACLPolicy
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name != c.id() {
		return nil, badRequest("ACL policy name does not match request path")
	}
	var err error
	if !validPolicyName.MatchString(in.Name) {
		err = fmt.Errorf("invalid name '%s'", in.Name)
	}
	if _, parse := acl.Parse(in.Rules); parse != nil {
		err = errors.Join(err, fmt.Errorf("failed to parse rules: %w", parse))
	}
	if err != nil {
		return nil, badRequest("policy 0 invalid: %v", err)
	}
	return c.wrote(nil, func(tx *state.Txn) error {
		state.Policies.Put(tx, &in)
		return nil
	})
}

func deleteACLPolicy(c *call) (any, error) {
	return c.wrote(nil, func(tx *state.Txn) error {
		if state.Policies.Get(tx, c.id()) == nil {
			return fail(http.StatusNotFound, "ACL policy not found")
		}
		state.Policies.Delete(tx, c.id())
		return nil
	})
}

// expiry is when a token ends that is to live so long, within the configured limits (facts/nomad.md §4).
func (c *call) expiry(created time.Time, ttl time.Duration) (*time.Time, error) {
	if ttl == 0 {
		return nil, nil
	}
	config := c.api.server.Config()
	switch {
	case ttl < config.TokenMinTTL:
		return nil, badRequest("token 0 invalid: expiration time cannot be less than %s in the future (was %s)",
			config.TokenMinTTL, ttl)
	case ttl > config.TokenMaxTTL:
		return nil, badRequest("token 0 invalid: expiration time cannot be more than %s in the future (was %s)",
			config.TokenMaxTTL, ttl)
	}
	at := created.Add(ttl)
	return &at, nil
}
