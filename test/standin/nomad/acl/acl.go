package acl

import (
	"slices"
	"strings"
)

// ACL is what its holder may do. The zero value may do nothing.
type ACL struct {
	management  bool
	namespaces  ruleSet
	nodePools   ruleSet
	hostVolumes ruleSet
	// variables are the rules on paths, by variableName.
	variables ruleSet
	// levels by the kind of thing: agent, node, operator, quota, plugin.
	levels map[string]string
}

// Management may do everything. It is also what everybody has where ACLs are off.
var Management = &ACL{management: true}

// New combines policies (facts/nomad.md §4): rules of one name add up, "deny" beats all.
func New(policies ...*Policy) *ACL {
	a := &ACL{namespaces: ruleSet{}, nodePools: ruleSet{}, hostVolumes: ruleSet{}, variables: ruleSet{},
		levels: map[string]string{}}
	for _, p := range policies {
		a.namespaces.add(p.Namespaces)
		a.nodePools.add(p.NodePools)
		a.hostVolumes.add(p.HostVolumes)
		a.variables.addPaths(p.Namespaces)
		for kind, rule := range map[string]*LevelRule{
			"agent": p.Agent, "node": p.Node, "operator": p.Operator, "quota": p.Quota, "plugin": p.Plugin,
		} {
			if rule != nil {
				a.levels[kind] = stronger(a.levels[kind], rule.Policy)
			}
		}
	}
	return a
}

// stronger is the level that holds when both are given.
func stronger(a, b string) string {
	for _, level := range []string{PolicyDeny, PolicyWrite, PolicyRead, PolicyList} {
		if a == level || b == level {
			return level
		}
	}
	return ""
}

// ruleSet has the capabilities of each name or glob.
type ruleSet map[string][]string

func (s ruleSet) add(rules []*Rule) {
	for _, r := range rules {
		s[r.Name] = append(s[r.Name], r.Capabilities...)
	}
}

// addPaths takes the rules on variables, which are inside those of their namespace.
func (s ruleSet) addPaths(namespaces []*Rule) {
	for _, n := range namespaces {
		if n.Variables == nil {
			continue
		}
		for _, p := range n.Variables.Paths {
			name := variableName(n.Name, p.PathSpec)
			s[name] = append(s[name], p.Capabilities...)
		}
	}
}

// variableName is what globs of namespace and path are compared with together (Nomad: acl/acl.go,
// matchingVariablesCapabilitySet).
func variableName(namespace, path string) string { return namespace + "\x00" + path }

// allows goes by the rule of that very name, else by the closest glob alone.
func (s ruleSet) allows(name, capability string) bool {
	given := s[s.closest(name)]
	return !slices.Contains(given, CapabilityDeny) && slices.Contains(given, capability)
}

// allowsAny reports if anything at all is granted for the name.
func (s ruleSet) allowsAny(name string) bool {
	given := s[s.closest(name)]
	return len(given) > 0 && !slices.Contains(given, CapabilityDeny)
}

// closest is the rule that leaves the fewest characters to its globs; of two such the first by the alphabet.
func (s ruleSet) closest(name string) string {
	if _, ok := s[name]; ok {
		return name
	}
	best, bestLeft := "", -1
	for pattern := range s {
		if !Glob(pattern, name) {
			continue
		}
		left := len(name) - len(pattern) + strings.Count(pattern, "*")
		if bestLeft < 0 || left < bestLeft || left == bestLeft && pattern < best {
			best, bestLeft = pattern, left
		}
	}
	return best
}

// Glob reports if the pattern, in which * stands for anything, matches the whole name.
func Glob(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, last)
}
