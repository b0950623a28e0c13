package nomad

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// errNoRules: the server gave the policy without its rules.
var errNoRules = errors.New("no rules in the answer")

// checkToken reads what the token grants. It can't be concluded from other answers: with too few grants a list of
// allocations is not refused, but shorter. An error means that nothing was learnt.
func (r *remote) checkToken(ctx context.Context) (tokenCheck, error) {
	self, err := r.tokenSelf(ctx)
	switch {
	case aclsDisabled(err):
		return tokenCheck{health: Health{State: HealthReachable}, noACLs: true}, nil
	case refusesToken(err):
		return tokenCheck{health: healthRefused(err)}, nil
	case err != nil:
		return tokenCheck{}, err
	case self.AccessorID == disabledAccessor:
		return tokenCheck{health: Health{State: HealthReachable}, noACLs: true}, nil
	case self.Type == managementType:
		return tokenCheck{health: Health{State: HealthReachable}, grants: versionOf(self, nil, nil)}, nil
	}
	// The version of the grants is read before the rules. It can then only be older than they are, so that a change may be
	// seen twice, but is never missed.
	roles, err := r.roles(ctx, self)
	if err != nil {
		return refusedOr(err)
	}
	policies, err := r.policies(ctx)
	if err != nil {
		return refusedOr(err)
	}
	health, err := r.healthBy(ctx, policies)
	return tokenCheck{health: health, grants: versionOf(self, roles, policies)}, err
}

// refusesToken reports if an answer to the request for the token itself refuses that. A secret that isn't a token gives
// a 500, with a text that differs from version to version. Other answers, such as a 404, aren't of Nomad's.
func refusesToken(err error) bool {
	code, _ := statusOf(err)
	return errors.Is(err, ErrForbidden) || code == http.StatusInternalServerError && !errors.Is(err, ErrUnreachable)
}

// refusedOr turns a refusal into a result.
func refusedOr(err error) (tokenCheck, error) {
	if errors.Is(err, ErrForbidden) {
		return tokenCheck{health: healthRefused(err)}, nil
	}
	return tokenCheck{}, err
}

// versionOf is a hash of the indices of the writes that made the token, its roles and its policies: it is kept for as
// long as the connection is.
func versionOf(self *api.ACLToken, roles []*api.ACLRoleListStub, policies []*api.ACLPolicyListStub) string {
	parts := []string{fmt.Sprintf("token %s@%d", self.AccessorID, self.ModifyIndex)}
	for _, role := range roles {
		parts = append(parts, fmt.Sprintf("role %s@%d", role.ID, role.ModifyIndex))
	}
	for _, policy := range policies {
		parts = append(parts, fmt.Sprintf("policy %s@%d", policy.Name, policy.ModifyIndex))
	}
	slices.Sort(parts)
	hash := sha256.Sum256([]byte(strings.Join(parts, ", ")))
	return hex.EncodeToString(hash[:])
}

// healthBy reads the policies' rules and judges what they grant.
func (r *remote) healthBy(ctx context.Context, stubs []*api.ACLPolicyListStub) (Health, error) {
	all := newCombined()
	for _, stub := range stubs {
		rules, err := r.policyRules(ctx, stub.Name)
		switch code, _ := statusOf(err); {
		case errors.Is(err, ErrForbidden), errors.Is(err, errNoRules):
			why := fmt.Sprintf("policy %q: %s", stub.Name, Cause(err))
			return Health{State: HealthTokenUnverifiable, Cause: why}, nil
		case code == http.StatusNotFound: // deleted meanwhile: it grants nothing
			continue
		case err != nil:
			return Health{}, err
		}
		if !all.add(*rules) {
			return Health{State: HealthTokenUnverifiable, Cause: errTooLarge.Error()}, nil
		}
	}
	return healthOf(all.grants()), nil
}

// aclsDisabled reports if the error means that the cluster runs without ACLs. Newer servers answer with a token of that
// name instead.
func aclsDisabled(err error) bool {
	_, body := statusOf(err)
	return strings.Contains(body, disabledText)
}

// tokenSelf reads the token. A workload identity has none: it is judged by its policies like any other.
func (r *remote) tokenSelf(ctx context.Context) (*api.ACLToken, error) {
	var self *api.ACLToken
	err := r.query(ctx, "read own token", api.QueryOptions{}, func(q *api.QueryOptions) (err error) {
		self, _, err = r.api.ACLTokens().Self(q)
		if err == nil && self == nil {
			return errNoResponse
		}
		return err
	})
	if code, body := statusOf(err); code == http.StatusNotFound && strings.Contains(body, "ACL token not found") {
		return &api.ACLToken{}, nil
	}
	return self, err
}

// roles lists the roles of the token. For a token that isn't a management token this list has only its own (Nomad:
// nomad/acl_endpoint.go, ListRoles). Most tokens have none.
func (r *remote) roles(ctx context.Context, self *api.ACLToken) (roles []*api.ACLRoleListStub, err error) {
	if len(self.Roles) == 0 {
		return nil, nil
	}
	err = r.query(ctx, "list own roles", api.QueryOptions{}, func(q *api.QueryOptions) (err error) {
		roles, _, err = r.api.ACLRoles().List(q)
		return cmp.Or(err, whole(roles))
	})
	return roles, err
}

// policies lists the policies of the token, including those of its roles. For a token that isn't a management token
// this list has only its own (Nomad: nomad/acl_endpoint.go, ListPolicies).
func (r *remote) policies(ctx context.Context) (policies []*api.ACLPolicyListStub, err error) {
	err = r.query(ctx, "list own policies", api.QueryOptions{}, func(q *api.QueryOptions) (err error) {
		policies, _, err = r.api.ACLPolicies().List(q)
		return cmp.Or(err, whole(policies), plausible(policies))
	})
	return policies, err
}

// plausible returns an error if there are more policies than a token has, or one has a longer name than Nomad allows.
func plausible(policies []*api.ACLPolicyListStub) error {
	if len(policies) > maxPolicies ||
		slices.ContainsFunc(policies, func(p *api.ACLPolicyListStub) bool { return len(p.Name) > maxPolicyName }) {
		return errTooLarge
	}
	return nil
}

// policyRules reads the parsed rules of one policy. The API's own type for policies leaves them out.
func (r *remote) policyRules(ctx context.Context, name string) (*policyRules, error) {
	var policy struct{ RulesJSON *policyRules }
	err := r.query(ctx, "read policy "+name, api.QueryOptions{}, func(q *api.QueryOptions) error {
		_, err := r.api.Raw().Query("/v1/acl/policy/"+url.PathEscape(name), &policy, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	if policy.RulesJSON == nil {
		return nil, errNoRules
	}
	return policy.RulesJSON, nil
}
