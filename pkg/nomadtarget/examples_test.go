package nomadtarget

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// exampleBlock is the innermost block of an example file, found by the types of the blocks around it.
func exampleBlock(t *testing.T, file string, path ...string) *hclsyntax.Block {
	t.Helper()
	parsed, diags := hclparse.NewParser().ParseHCLFile(filepath.Join("..", "..", "config", "autoscaler", file))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	body := parsed.Body.(*hclsyntax.Body)
	var block *hclsyntax.Block
	for _, kind := range path {
		i := slices.IndexFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == kind })
		if i < 0 {
			t.Fatalf("%s has no block %s", file, kind)
		}
		block = body.Blocks[i]
		body = block.Body
	}
	return block
}

// The example files name the same target, a pool that can exist, and keys that the plugin reads.
func TestExamples(t *testing.T) {
	agent, policy := exampleBlock(t, "agent.hcl", "target"), exampleBlock(t, "policy.hcl", "scaling", "policy", "target")
	if !slices.Equal(agent.Labels, policy.Labels) {
		t.Errorf("the policy's target is %v, the agent's %v", policy.Labels, agent.Labels)
	}
	config := map[string]string{}
	for name, attribute := range policy.Body.Attributes {
		v, diags := attribute.Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		config[name] = v.AsString()
	}
	if ref, err := poolOf(config); err != nil || ref.String() != "default/workers" {
		t.Errorf("poolOf(%v) = %v, %v", config, ref, err)
	}
	if remarks := advice(config, settled(1)); len(remarks) > 0 {
		t.Errorf("the example policy earns remarks: %v", remarks)
	}
	keys, diags := agent.Body.Attributes["config"].Expr.Value(nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for key := range keys.AsValueMap() {
		if !slices.ContainsFunc([]setting{settingURL, settingToken, settingCA, settingKubeconfig, settingContext}, func(s setting) bool { return s.key == key }) {
			t.Errorf("the example agent sets %q, which the plugin doesn't read", key)
		}
	}
}
