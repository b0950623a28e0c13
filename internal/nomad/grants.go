package nomad

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
