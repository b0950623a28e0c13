package acl_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
)

func TestClosestRuleCountsAlone(t *testing.T) {
	const rules = `namespace "*" { capabilities = ["read-job"] } namespace "pr*" { policy = "deny" }
		namespace "prod" { policy = "write" }
		node_pool "hnp-*" { policy = "write" } node { policy = "read" }`
	a := parse(t, rules)
	for _, tc := range []struct {
		namespace, capability string
		want                  bool
	}{
		{"default", acl.ReadJob, true},
		{"default", acl.ListJobs, false},
		{"preview", acl.ReadJob, false},
		{"prod", acl.SubmitJob, true},
		{"prod", acl.SentinelOverride, false},
	} {
		if got := a.AllowNamespaceOp(tc.namespace, tc.capability); got != tc.want {
			t.Errorf("%s in %s: %t", tc.capability, tc.namespace, got)
		}
	}
	if !a.AllowNodeRead() || a.AllowNodeWrite() || a.AllowAgentRead() || !a.AllowNodePoolOp("hnp-a", "delete") ||
		a.AllowNodePoolOp("x", "read") {
		t.Error("levels and node pools are mixed up")
	}
}

func TestDenyWinsAndTheRestAddsUp(t *testing.T) {
	a := parse(t, `node { policy = "write" } agent { policy = "read" } namespace "a" { capabilities = ["list-jobs"] }`,
		`node { policy = "deny" } agent { policy = "write" } namespace "a" { capabilities = ["read-job"] }`)
	if a.AllowNodeRead() || !a.AllowAgentWrite() || !a.AllowNamespaceOp("a", acl.ListJobs) ||
		!a.AllowNamespaceOp("a", acl.ReadJob) {
		t.Errorf("got %+v", a)
	}
	if !acl.Management.AllowNamespaceOp("x", acl.AllocExec) || (*acl.ACL)(nil).AllowNodeRead() ||
		new(acl.ACL).AllowNodeRead() {
		t.Error("management may not, or nobody may")
	}
}

func TestShorthandIsSpelledOut(t *testing.T) {
	p, err := acl.Parse(
		`namespace "x" { policy = "read" capabilities = ["alloc-exec"] variables { path "a/*" { capabilities = ["list"] } } } plugin { policy = "list" }`,
	)
	if err != nil {
		t.Fatal(err)
	}
	got := p.Namespaces[0]
	if got.Name != "x" || !slices.Contains(got.Capabilities, acl.ReadJob) || got.Capabilities[0] != acl.AllocExec ||
		p.Plugin.Policy != acl.PolicyList ||
		p.Node != nil {
		t.Errorf("got %+v", got)
	}
}

func TestRefusedPolicies(t *testing.T) {
	for rules, word := range map[string]string{
		``: "empty",
		`namespace "x" { capabilities = ["fly"] }`:                            "Invalid namespace capability 'fly'",
		`namespace "x" { variables { path "p" { capabilities = ["fly"] } } }`: "Invalid variable capability 'fly'",
		`namespace "x" { policy = "list" }`:                                   "Invalid namespace policy",
		`namespace "a b" { policy = "read" }`:                                 "Invalid namespace name",
		`node { policy = "scale" }`:                                           "Invalid node policy",
		`nod { policy = "read" }`:                                             "Invalid or duplicate policy keys",
		`node {`:                                                              "Failed to parse",
		`node_pool "p" { policy = "scale" }`:                                  "Invalid node pool policy",
		`host_volume "h" { capabilities = ["mount-all"] }`:                    "Invalid host volume capability",
	} {
		if _, err := acl.Parse(rules); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", rules, err)
		}
	}
}

func TestVariablesHaveRulesOfTheirOwn(t *testing.T) {
	a := parse(t, `namespace "*" { policy = "write" variables { path "a/*" { capabilities = ["read"] } } }
		namespace "x" { variables { path "a/b" { capabilities = ["write"] } path "c" { capabilities = ["deny", "read"] } } }`)
	for _, tc := range []struct {
		namespace, path, capability string
		want                        bool
	}{
		{"y", "a/b", acl.VariablesCapabilityRead, true}, {"y", "a/b", acl.VariablesCapabilityList, true},
		{"y", "a/b", acl.VariablesCapabilityWrite, false}, {"y", "b", acl.VariablesCapabilityRead, false},
		{"x", "a/b", acl.VariablesCapabilityWrite, true}, {"x", "a/b", acl.VariablesCapabilityRead, false},
		{"x", "a/c", acl.VariablesCapabilityRead, true}, {"x", "c", acl.VariablesCapabilityRead, false},
	} {
		if got := a.AllowVariableOperation(tc.namespace, tc.path, tc.capability); got != tc.want {
			t.Errorf("%s of %s in %s: %t", tc.capability, tc.path, tc.namespace, got)
		}
	}
	if a.AllowNamespaceOp("x", acl.ReadJob) {
		t.Error("a rule of the very namespace doesn't replace that of all")
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true},
		{"a*c*e", "abcde", true},
		{"a*a", "a", false}, {"*x*", "ab", false},
	} {
		if acl.Glob(tc.pattern, tc.name) != tc.want {
			t.Errorf("%+v", tc)
		}
	}
}

func parse(t *testing.T, rules ...string) *acl.ACL {
	t.Helper()
	var policies []*acl.Policy
	for _, r := range rules {
		p, err := acl.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	return acl.New(policies...)
}
