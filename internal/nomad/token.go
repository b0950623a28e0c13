package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// errNoRules: the server gave the policy without its rules.
var errNoRules = errors.New("no rules in the answer")

// tokenHealth asks what the token grants. It has to be asked for: with too few grants the lists of allocations are not
// refused, they are shorter. An error means that nothing could be found out this time.
func (r *remote) tokenHealth(ctx context.Context) (Health, error) {
	self, err := r.tokenSelf(ctx)
	switch {
	case saysDisabled(err):
		return healthy(r.origin.address), nil
	case errors.Is(err, ErrUnreachable), errors.Is(err, context.Canceled):
		return Health{}, err
	case err != nil: // what isn't a token at all is a 500, in words that differ from version to version
		return healthRefused(r.origin, err), nil
	case self.AccessorID == disabledAccessor, self.Type == managementType:
		return healthy(r.origin.address), nil
	}
	names, err := r.policyNames(ctx)
	if errors.Is(err, ErrForbidden) {
		return healthRefused(r.origin, err), nil
	}
	if err != nil {
		return Health{}, err
	}
	policies := make([]policyRules, 0, len(names))
	for _, name := range names {
		rules, err := r.policyRules(ctx, name)
		switch code, _ := statusOf(err); {
		case errors.Is(err, ErrForbidden), errors.Is(err, errNoRules):
			return healthUnverifiable(r.origin.address, fmt.Sprintf("policy %q: %s", name, Cause(err))), nil
		case code == http.StatusNotFound: // deleted meanwhile: it grants nothing
			continue
		case err != nil:
			return Health{}, err
		}
		policies = append(policies, *rules)
	}
	return healthOf(r.origin.address, grantsOf(policies)), nil
}

// saysDisabled reports if the error means that the cluster runs without ACLs; newer servers answer with a token of that
// name instead.
func saysDisabled(err error) bool {
	_, body := statusOf(err)
	return strings.Contains(body, disabledText)
}

// tokenSelf reads the token. A workload identity has none: it is judged by its policies like any other.
func (r *remote) tokenSelf(ctx context.Context) (*api.ACLToken, error) {
	var self *api.ACLToken
	err := r.query(ctx, "read own token", api.QueryOptions{}, func(q *api.QueryOptions) (err error) {
		self, _, err = r.api.ACLTokens().Self(q)
		return err
	})
	if code, body := statusOf(err); code == http.StatusNotFound && strings.Contains(body, "ACL token not found") {
		return &api.ACLToken{}, nil
	}
	return self, err
}

// policyNames lists the policies of the token, those that it has through roles included: that is what this list is for
// anybody who is not management (Nomad: nomad/acl_endpoint.go, ListPolicies).
func (r *remote) policyNames(ctx context.Context) ([]string, error) {
	var names []string
	err := r.query(ctx, "list own policies", api.QueryOptions{}, func(q *api.QueryOptions) error {
		stubs, _, err := r.api.ACLPolicies().List(q)
		for _, stub := range stubs {
			names = append(names, stub.Name)
		}
		return err
	})
	return names, err
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
