package nomad

import (
	"maps"
	"slices"
)

// Bounds on what is kept of a token's policies while they are read, one answer after the other.
const (
	// maxPolicies is how many policies a token may have.
	maxPolicies = 1000
	// maxPolicyName is how long a policy's name may be; Nomad allows 128 bytes (Nomad: nomad/structs, ValidPolicyName).
	maxPolicyName = 512
	// maxRules is how many bytes the rules of namespaces may have, and ruleBytes what one takes beside its name.
	maxRules, ruleBytes = 1 << 20, 64
)

// combined are the rules of all policies of a token, as Nomad combines them (Nomad: acl/acl.go, NewACL): rules for the
// same namespace add up, "deny" beats all, and of the rules that match a namespace the closest one counts alone. So the
// rule for "*" is not enough: any other one takes its place where it matches, and has to grant read-job as well.
type combined struct {
	namespaces  map[string]namespaceGrant
	bytes       int
	write, deny bool
}

type namespaceGrant struct{ readJob, deny bool }

func newCombined() *combined { return &combined{namespaces: map[string]namespaceGrant{}} }

// add adds the rules of a policy, and returns false if all of them together are more than any token's would be.
func (r *combined) add(p policyRules) bool {
	for _, ns := range p.Namespaces {
		given, known := r.namespaces[ns.Name]
		if !known {
			if r.bytes += len(ns.Name) + ruleBytes; r.bytes > maxRules {
				return false
			}
		}
		given.readJob = given.readJob || slices.Contains(ns.Capabilities, ruleReadJob)
		given.deny = given.deny || slices.Contains(ns.Capabilities, ruleDeny)
		r.namespaces[ns.Name] = given
	}
	if p.Node != nil {
		r.write = r.write || p.Node.Policy == ruleWrite
		r.deny = r.deny || p.Node.Policy == ruleDeny
	}
	return true
}

// grants is what the rules grant.
func (r *combined) grants() grants {
	g := grants{nodeWrite: r.write && !r.deny}
	if _, ok := r.namespaces[everyNamespace]; !ok {
		g.hiddenNamespaces = append(g.hiddenNamespaces, everyNamespace)
	}
	for _, name := range slices.Sorted(maps.Keys(r.namespaces)) {
		if given := r.namespaces[name]; given.deny || !given.readJob {
			g.hiddenNamespaces = append(g.hiddenNamespaces, name)
		}
	}
	return g
}
