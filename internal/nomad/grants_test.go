package nomad

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func rules(node string, namespaces ...namespaceRule) policyRules {
	p := policyRules{Namespaces: namespaces}
	if node != "" {
		p.Node = &struct{ Policy string }{node}
	}
	return p
}

func namespace(name string, capabilities ...string) namespaceRule {
	return namespaceRule{Name: name, Capabilities: capabilities}
}

func grantsOf(policies []policyRules) grants {
	all := newCombined()
	for _, p := range policies {
		all.add(p)
	}
	return all.grants()
}

func TestGrants(t *testing.T) {
	for name, tc := range map[string]struct {
		policies []policyRules
		state    HealthState
		hidden   []string
	}{
		"none":   {nil, HealthTokenLacksReadJob, []string{"*"}},
		"enough": {[]policyRules{rules("write", namespace("*", "read-job"))}, HealthReachable, nil},
		"over two policies": {[]policyRules{rules("write"), rules("", namespace("*", "list-jobs", "read-job"))},
			HealthReachable, nil},
		"no node rule": {[]policyRules{rules("", namespace("*", "read-job"))}, HealthTokenLacksNodeWrite, nil},
		"node read":    {[]policyRules{rules("read", namespace("*", "read-job"))}, HealthTokenLacksNodeWrite, nil},
		"node denied": {[]policyRules{rules("write", namespace("*", "read-job")), rules("deny")},
			HealthTokenLacksNodeWrite, nil},
		"list-jobs only": {[]policyRules{rules("write", namespace("*", "list-jobs"))}, HealthTokenLacksReadJob,
			[]string{"*"}},
		"default only": {[]policyRules{rules("write", namespace("default", "read-job"))}, HealthTokenLacksReadJob,
			[]string{"*"}},
		"denied everywhere": {[]policyRules{rules("write", namespace("*", "read-job"), namespace("*", "deny"))},
			HealthTokenLacksReadJob, []string{"*"}},
		"narrowed in one": {[]policyRules{rules("write", namespace("*", "read-job"), namespace("prod", "submit-job"))},
			HealthTokenLacksReadJob, []string{"prod"}},
		"narrowed by a glob": {[]policyRules{rules("write", namespace("*", "read-job")),
			rules("", namespace("pr*", "deny"))}, HealthTokenLacksReadJob, []string{"pr*"}},
		"completed by another": {[]policyRules{rules("write", namespace("*", "read-job"), namespace("prod", "submit-job")),
			rules("", namespace("prod", "read-job"))}, HealthReachable, nil},
		"variables rule only": {[]policyRules{rules("write", namespace("*", "read-job"), namespace("prod"))},
			HealthTokenLacksReadJob, []string{"prod"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := grantsOf(tc.policies)
			if !slices.Equal(g.hiddenNamespaces, tc.hidden) {
				t.Errorf("hidden %q, want %q", g.hiddenNamespaces, tc.hidden)
			}
			if h := healthOf(g); h.State != tc.state || h.OK() != (tc.state == HealthReachable) {
				t.Errorf("got %+v, want %s", h, tc.state)
			}
		})
	}
}

// Whatever the order of policies, the verdict is the same: the condition made from it must not flap.
func TestGrantsIgnoreOrder(t *testing.T) {
	ns := rapid.Custom(func(t *rapid.T) namespaceRule {
		return namespace(rapid.SampledFrom([]string{"*", "a", "a*"}).Draw(t, "name"),
			rapid.SliceOfN(rapid.SampledFrom([]string{"read-job", "list-jobs", "deny"}), 0, 2).Draw(t, "capabilities")...)
	})
	policy := rapid.Custom(func(t *rapid.T) policyRules {
		return rules(
			rapid.SampledFrom([]string{"", "read", "write", "deny"}).Draw(t, "node"),
			rapid.SliceOfN(ns, 0, 3).Draw(t, "namespaces")...)
	})
	rapid.Check(t, func(t *rapid.T) {
		policies := rapid.SliceOfN(policy, 0, 4).Draw(t, "policies")
		shuffled := rapid.Permutation(policies).Draw(t, "shuffled")
		if a, b := healthOf(grantsOf(policies)), healthOf(grantsOf(shuffled)); a != b {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}
