package acl

import (
	"slices"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// Policy is one ACL policy as parsed: what GET /v1/acl/policy/:name shows as RulesJSON.
type Policy struct {
	Namespaces  []*Rule    `hcl:"namespace,expand"`
	NodePools   []*Rule    `hcl:"node_pool,expand"`
	HostVolumes []*Rule    `hcl:"host_volume,expand"`
	Agent       *LevelRule `hcl:"agent"`
	Node        *LevelRule `hcl:"node"`
	Operator    *LevelRule `hcl:"operator"`
	Quota       *LevelRule `hcl:"quota"`
	Plugin      *LevelRule `hcl:"plugin"`
}

// Rule grants capabilities on what its name, which may hold globs, matches.
type Rule struct {
	Name         string `hcl:",key"`
	Policy       string
	Capabilities []string
	// Variables are the paths of Nomad's variables. No other right in the namespace grants anything on them.
	Variables *VariablesRule `hcl:"variables" json:",omitempty"`
}

// VariablesRule grants capabilities on paths of variables.
type VariablesRule struct {
	Paths []*VariablesPath `hcl:"path,expand"`
}

// VariablesPath is one path, which may hold a glob.
type VariablesPath struct {
	PathSpec     string `hcl:",key"`
	Capabilities []string
}

// LevelRule grants a level on all of one kind.
type LevelRule struct {
	Policy string
}

var (
	topLevelKeys = []string{"namespace", "node_pool", "host_volume", "agent", "node", "operator", "quota", "plugin"}
	levels       = []string{PolicyDeny, PolicyRead, PolicyWrite}
	pluginLevels = []string{PolicyDeny, PolicyRead, PolicyList}
)

// Parse reads the rules of a policy (facts/nomad.md §4). Shorthands are spelled out in the result; what is no rule of
// Nomad's is refused in Nomad's words.
func Parse(rules string) (*Policy, error) {
	p := &Policy{}
	if rules == "" {
		return nil, refused("Invalid policy: empty policy")
	}
	file, err := hcl.Parse(rules)
	if err != nil {
		return nil, refused("Failed to parse ACL Policy: %v", err)
	}
	if err := checkKeys(file); err != nil {
		return nil, err
	}
	if err := hcl.DecodeObject(p, file); err != nil {
		return nil, refused("Failed to parse ACL Policy: %v", err)
	}
	if err := p.expand(); err != nil {
		return nil, err
	}
	return p, p.checkLevels()
}

// checkKeys refuses blocks that no rule has; a misspelt one would otherwise grant nothing and say nothing.
func checkKeys(file *ast.File) error {
	list, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return refused("Failed to parse ACL Policy: no object at the root")
	}
	var unknown []string
	for _, item := range list.Items {
		if key, ok := item.Keys[0].Token.Value().(string); !ok || !slices.Contains(topLevelKeys, key) {
			unknown = append(unknown, item.Keys[0].Token.Text)
		}
	}
	if len(unknown) > 0 {
		return refused("Failed to parse ACL Policy: Invalid or duplicate policy keys: %v", unknown)
	}
	return nil
}

func (p *Policy) expand() error {
	for _, part := range []struct {
		kind  kind
		rules []*Rule
	}{{namespaceKind, p.Namespaces}, {nodePoolKind, p.NodePools}, {hostVolumeKind, p.HostVolumes}} {
		for _, rule := range part.rules {
			if part.kind.names != nil && !part.kind.names.MatchString(rule.Name) {
				return refused("Invalid %s name: %q", part.kind.name, rule.Name)
			}
			var err error
			if rule.Capabilities, err = part.kind.expand(rule.Policy, rule.Capabilities); err != nil {
				return err
			}
			if err := rule.Variables.expand(rule.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// expand refuses what is no capability on variables. Who may read may list (Nomad: acl/policy.go).
func (r *VariablesRule) expand(namespace string) error {
	if r == nil {
		return nil
	}
	for _, p := range r.Paths {
		for _, c := range p.Capabilities {
			if !slices.Contains(variablesCapabilities, c) {
				return refused("Invalid variable capability '%s' in namespace %s", c, namespace)
			}
		}
		reads := slices.Contains(p.Capabilities, VariablesCapabilityRead)
		if reads && !slices.Contains(p.Capabilities, VariablesCapabilityList) {
			p.Capabilities = append(p.Capabilities, VariablesCapabilityList)
		}
	}
	return nil
}

func (p *Policy) checkLevels() error {
	for _, part := range []struct {
		name    string
		rule    *LevelRule
		allowed []string
	}{
		{"agent", p.Agent, levels}, {"node", p.Node, levels}, {"operator", p.Operator, levels}, {"quota", p.Quota, levels},
		{"plugin", p.Plugin, pluginLevels},
	} {
		if part.rule != nil && !slices.Contains(part.allowed, part.rule.Policy) {
			return refused("Invalid %s policy: %q", part.name, part.rule.Policy)
		}
	}
	return nil
}
