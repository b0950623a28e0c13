package nomad

import (
	"maps"
	"slices"
	"strings"
)

// policyRules are the rules of one ACL policy as the server has parsed them (RulesJSON of GET /v1/acl/policy/:name),
// with the shorthand "policy" already spelled out as capabilities (Nomad: acl/policy.go, Parse).
type policyRules struct {
	Namespaces []namespaceRule
	Node       *struct{ Policy string }
}

type namespaceRule struct {
	Name         string
	Capabilities []string
}

// The words of Nomad's ACL language that matter here.
const (
	ruleDeny         = "deny"
	ruleWrite        = "write"
	ruleReadJob      = "read-job"
	everyNamespace   = "*"
	managementType   = "management"
	disabledAccessor = "acls-disabled" // Nomad: nomad/structs/acl.go, ACLsDisabledToken
	disabledText     = "ACL support disabled"
)

// grants is which of the rights that the controllers need a set of policies grants.
type grants struct {
	// nodeWrite: nodes may be drained and purged.
	nodeWrite bool
	// hiddenNamespaces are the namespace rules under which allocations are invisible; "*" when there is no rule for every
	// namespace. Empty: all are visible.
	hiddenNamespaces []string
}

// grantsOf combines policies as Nomad does (Nomad: acl/acl.go, NewACL): rules for the same namespace add up, "deny"
// beats all, and of the rules that match a namespace the closest one counts alone. So the rule for "*" is not enough:
// any other one takes its place where it matches, and has to grant read-job as well.
func grantsOf(policies []policyRules) grants {
	var (
		capabilities = map[string][]string{}
		write, deny  bool
	)
	for _, p := range policies {
		for _, ns := range p.Namespaces {
			capabilities[ns.Name] = append(capabilities[ns.Name], ns.Capabilities...)
		}
		if p.Node != nil {
			write = write || p.Node.Policy == ruleWrite
			deny = deny || p.Node.Policy == ruleDeny
		}
	}
	g := grants{nodeWrite: write && !deny}
	if _, ok := capabilities[everyNamespace]; !ok {
		g.hiddenNamespaces = append(g.hiddenNamespaces, everyNamespace)
	}
	for _, name := range slices.SortedFunc(maps.Keys(capabilities), strings.Compare) {
		if given := capabilities[name]; slices.Contains(given, ruleDeny) || !slices.Contains(given, ruleReadJob) {
			g.hiddenNamespaces = append(g.hiddenNamespaces, name)
		}
	}
	return g
}
