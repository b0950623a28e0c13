package nomadtarget

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	nomadapi "github.com/hashicorp/nomad/api"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
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

// value is the text of an attribute, as the agent hands it to plugins.
func value(t *testing.T, block *hclsyntax.Block, name string) string {
	t.Helper()
	attribute, ok := block.Body.Attributes[name]
	if !ok {
		t.Fatalf("%s has no %s", block.Type, name)
	}
	v, diags := attribute.Expr.Value(nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	switch v.Type().FriendlyName() {
	case "bool":
		return strconv.FormatBool(v.True())
	case "number":
		return v.AsBigFloat().String()
	default:
		return v.AsString()
	}
}

// targetOf is the target block of an example policy as the plugin gets it.
func targetOf(t *testing.T, file string) map[string]string {
	t.Helper()
	block := exampleBlock(t, file, "scaling", "policy", "target")
	config := map[string]string{}
	for name := range block.Body.Attributes {
		config[name] = value(t, block, name)
	}
	return config
}

// samples are the pools of config/samples as they are written, by namespace and name; set says if a pool has replicas.
func samples(t *testing.T) (pools map[string]*v1alpha1.NomadNodePool, set map[string]bool) {
	t.Helper()
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}
	pools, set = map[string]*v1alpha1.NomadNodePool{}, map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, raw := &v1alpha1.NomadNodePool{}, struct{ Spec map[string]any }{}
		if err := yaml.UnmarshalStrict(text, p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := yaml.Unmarshal(text, &raw); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		key := p.Namespace + "/" + p.Name
		if pools[key] != nil {
			t.Errorf("two samples are the pool %s", key)
		}
		pools[key] = p
		_, set[key] = raw.Spec["replicas"]
	}
	return pools, set
}

// The example policies name the agent's target, a pool of the samples and what its members are, and bounds that it
// allows.
func TestExamplesFitTheSamples(t *testing.T) {
	agent := exampleBlock(t, "agent.hcl", "target")
	pools, set := samples(t)
	for file, want := range map[string]string{"policy.hcl": "nomad-clients/workers",
		"from-zero.hcl": "nomad-clients/build-farm"} {
		t.Run(file, func(t *testing.T) {
			scaling := exampleBlock(t, file, "scaling")
			if target := exampleBlock(t, file, "scaling", "policy", "target"); !slices.Equal(agent.Labels, target.Labels) {
				t.Errorf("the policy's target is %v, the agent's %v", target.Labels, agent.Labels)
			}
			config := targetOf(t, file)
			ref, err := poolOf(config)
			if err != nil || ref.String() != want {
				t.Fatalf("poolOf(%v) = %v, %v", config, ref, err)
			}
			pool := pools[want]
			if pool == nil {
				t.Fatalf("no sample is the pool %s", want)
			}
			if set[want] {
				t.Error("the sample sets replicas, which are the autoscaler's: each apply would undo what it did")
			}
			if remarks := advice(config, pool); len(remarks) > 0 {
				t.Errorf("earns remarks: %v", remarks)
			}
			least, most := value(t, scaling, "min"), value(t, scaling, "max")
			if m := pool.Spec.MinReplicas; m != nil && least != strconv.Itoa(int(*m)) || m == nil && least != "0" {
				t.Errorf("min %s is not the pool's minReplicas", least)
			}
			if m := pool.Spec.MaxReplicas; m == nil || most != strconv.Itoa(int(*m)) {
				t.Errorf("max %s is not the pool's maxReplicas", most)
			}
		})
	}
}

// The example agent sets keys that the plugin reads, and takes no policies from jobs.
func TestExampleAgent(t *testing.T) {
	known := []string{settingURL.key, settingToken.key, settingTokenFile.key, settingCA.key, settingKubeconfig.key,
		settingContext.key, keyJobPolicies}
	keys, diags := exampleBlock(t, "agent.hcl", "target").Body.Attributes["config"].Expr.Value(nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for key := range keys.AsValueMap() {
		if !slices.Contains(known, key) {
			t.Errorf("it sets %q, which the plugin doesn't read", key)
		}
	}
	source := exampleBlock(t, "agent.hcl", "policy", "source")
	if !slices.Equal(source.Labels, []string{"nomad"}) || value(t, source, "enabled") != "false" {
		t.Errorf("the source %v is enabled: %s", source.Labels, value(t, source, "enabled"))
	}
}

// The sample job waits for members of the sample pool, by the sample policy.
func TestSampleJobIsForTheSamplePool(t *testing.T) {
	text, err := os.ReadFile("../../config/samples/jobs/batch-sleep.json")
	if err != nil {
		t.Fatal(err)
	}
	var job struct{ Job nomadapi.Job }
	if err := json.Unmarshal(text, &job); err != nil {
		t.Fatal(err)
	}
	pools, _ := samples(t)
	query := value(t, exampleBlock(t, "from-zero.hcl", "scaling", "policy", "check"), "query")
	if !strings.HasPrefix(*job.Job.ID, "batch-") || !strings.Contains(query, `"batch-.*"`) {
		t.Errorf("the policy doesn't count job %s:\n%s", *job.Job.ID, query)
	}
	if want := pools["nomad-clients/build-farm"].Spec.Nomad.NodePool; *job.Job.NodePool != want {
		t.Errorf("it runs in node pool %s, not %s", *job.Job.NodePool, want)
	}
}
