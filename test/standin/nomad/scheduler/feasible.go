package scheduler

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// feasible reports if a node may take the group at all, whatever room it has.
func (p *planner) feasible(group *api.TaskGroup, n *state.Node) bool {
	if n.Status != state.NodeReady || n.SchedulingEligibility != state.Eligible || n.DrainStrategy != nil {
		return false
	}
	pool := state.Value(p.Job.NodePool)
	if pool != api.NodePoolAll && n.NodePool != pool && (pool != "" || n.NodePool != api.NodePoolDefault) {
		return false
	}
	if len(p.Job.Datacenters) > 0 &&
		!slices.ContainsFunc(p.Job.Datacenters, func(dc string) bool { return acl.Glob(dc, n.Datacenter) }) {
		return false
	}
	if !p.meets(append(slices.Clone(p.Job.Constraints), group.Constraints...), group, n) {
		return false
	}
	for _, t := range group.Tasks {
		d := n.Drivers[t.Driver]
		if d == nil || !d.Detected || !d.Healthy || !p.meets(t.Constraints, group, n) {
			return false
		}
	}
	return true
}

func (p *planner) meets(constraints []*api.Constraint, group *api.TaskGroup, n *state.Node) bool {
	for _, c := range constraints {
		if c.Operand == "distinct_hosts" {
			if p.used(n).same[state.Key(state.Value(p.Job.ID), state.Value(group.Name))] > 0 {
				return false
			}
			continue
		}
		left, known := Interpolate(c.LTarget, n)
		right, alsoKnown := Interpolate(c.RTarget, n)
		if !Satisfied(c.Operand, left, right, known, alsoKnown) {
			return false
		}
	}
	return true
}

// Interpolate is the value of ${attr.x}, ${meta.x} or ${node.x} for a node; what has no ${} is itself.
func Interpolate(target string, n *state.Node) (string, bool) {
	name, isVariable := strings.CutPrefix(target, "${")
	if !isVariable {
		return target, true
	}
	name = strings.TrimSuffix(name, "}")
	switch name {
	case "node.unique.id":
		return n.ID, true
	case "node.unique.name":
		return n.Name, true
	case "node.datacenter":
		return n.Datacenter, true
	case "node.class":
		return n.NodeClass, true
	case "node.pool":
		return n.NodePool, true
	}
	if key, ok := strings.CutPrefix(name, "attr."); ok {
		value, known := n.Attributes[key]
		return value, known
	}
	if key, ok := strings.CutPrefix(name, "meta."); ok {
		value, known := n.Meta[key]
		return value, known
	}
	return "", false
}

// Satisfied judges one constraint.
func Satisfied(operand, left, right string, leftKnown, rightKnown bool) bool {
	switch operand {
	case "is_set":
		return leftKnown
	case "is_not_set":
		return !leftKnown
	case "!=", "not":
		return left != right || leftKnown != rightKnown
	}
	if !leftKnown || !rightKnown {
		return false
	}
	return compared(operand, left, right)
}

func compared(operand, left, right string) bool {
	switch operand {
	case "", "=", "==", "is":
		return left == right
	case "<", "<=", ">", ">=":
		return ordered(operand, strings.Compare(left, right))
	case "regexp":
		matched, err := regexp.MatchString(right, left)
		return err == nil && matched
	case "version", "semver":
		return versionMatches(left, right)
	case "set_contains", "set_contains_all":
		return contains(left, right, true)
	case "set_contains_any":
		return contains(left, right, false)
	}
	return false
}

func ordered(operand string, order int) bool {
	return order == 0 && strings.HasSuffix(operand, "=") || order < 0 && operand[0] == '<' ||
		order > 0 && operand[0] == '>'
}

func versionMatches(left, right string) bool {
	v, err := version.NewVersion(left)
	if err != nil {
		return false
	}
	c, err := version.NewConstraint(right)
	return err == nil && c.Check(v)
}

func contains(set, wanted string, all bool) bool {
	var items []string
	for _, item := range strings.Split(set, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	for _, item := range strings.Split(wanted, ",") {
		if slices.Contains(items, strings.TrimSpace(item)) != all {
			return !all
		}
	}
	return all
}
