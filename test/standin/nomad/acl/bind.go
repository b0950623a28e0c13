package acl

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/hashicorp/go-bexpr"
	"github.com/hashicorp/nomad/api"
)

// Binding is what a login gives.
type Binding struct {
	Management bool
	Policies   []string
	// Roles are names or IDs.
	Roles []string
}

// None reports if the login gives nothing, and is refused.
func (b Binding) None() bool { return !b.Management && len(b.Policies) == 0 && len(b.Roles) == 0 }

// ErrNoBinding refuses a login that no binding rule has something for.
var ErrNoBinding = &Error{http.StatusBadRequest, "no role or policy bindings matched"}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// Bind applies the binding rules of the login's method (facts/nomad.md §4). A rule without a selector applies always.
func Bind(rules []*api.ACLBindingRule, id Identity) (Binding, error) {
	var b Binding
	for _, rule := range rules {
		ok, err := selects(rule.Selector, id)
		if err != nil {
			return Binding{}, err
		}
		if !ok {
			continue
		}
		name := placeholder.ReplaceAllStringFunc(rule.BindName, func(s string) string {
			return id.Value[strings.TrimPrefix(strings.TrimSpace(s[2:len(s)-1]), "value.")]
		})
		switch rule.BindType {
		case api.ACLBindingRuleBindTypeManagement:
			b.Management = true
		case api.ACLBindingRuleBindTypePolicy:
			b.Policies = append(b.Policies, name)
		case api.ACLBindingRuleBindTypeRole:
			b.Roles = append(b.Roles, name)
		}
	}
	return b, nil
}

func selects(selector string, id Identity) (bool, error) {
	if selector == "" {
		return true, nil
	}
	// value.sub in a selector is a key of a map, which may be missing.
	evaluator, err := bexpr.CreateEvaluator(selector, bexpr.WithUnknownValue(""))
	if err != nil {
		return false, err
	}
	return evaluator.Evaluate(id)
}
