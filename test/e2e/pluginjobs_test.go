package e2e

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// scalingJob is a job without allocations whose author wants a pool to have so many members.
func scalingJob(namespace, pool, value string) *api.Job {
	block := func(name string, in map[string]any) []any { return []any{map[string]any{name: []any{in}}} }
	return &api.Job{
		ID: ptr.To("scales-" + pool), Name: ptr.To("scales-" + pool), Namespace: &namespace, Type: ptr.To("service"),
		Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{{
			Name: ptr.To("group"), Count: ptr.To(0),
			Tasks: []*api.Task{{Name: "task", Driver: "raw_exec", Config: map[string]any{"command": "/bin/true"}}},
			Scaling: &api.ScalingPolicy{
				Type: api.ScalingPolicyTypeHorizontal, Enabled: ptr.To(true), Min: ptr.To[int64](0), Max: ptr.To[int64](10),
				Policy: map[string]any{
					"cooldown": "1s", "evaluation_interval": "1s",
					"check":  block("fixed", map[string]any{"strategy": block("fixed-value", map[string]any{"value": value})}),
					"target": block("harvester", map[string]any{"node_pool_name": pool, "namespace": fixtures.Namespace}),
				},
			},
		}},
	}
}

// The scaling block of a job scales no pool, whatever target it names, and costs the agent's own policies nothing. Where
// the operator lets jobs scale pools, it does.
func TestPluginScalesNoPoolForAJob(t *testing.T) {
	t.Parallel()
	// In a namespace of its own: other tests' agents take no policies from there.
	const namespace, asked, other = "scaling-jobs", "asked-by-a-job", "asked-by-a-file"
	if _, err := w.Nomad.Namespaces().Register(&api.Namespace{Name: namespace}, nil); err != nil {
		t.Fatal(err)
	}
	for _, pool := range []string{asked, other} {
		create(t, newPool(pool, 0))
		eventually(t, pool, "the empty pool to settle", time.Minute, allReady(0))
	}
	job := scalingJob(namespace, asked, "1")
	if _, _, err := w.Nomad.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, _, err := w.Nomad.Jobs().Deregister(*job.ID, false, &api.WriteOptions{Namespace: namespace}); err != nil {
			t.Error(err)
		}
	})
	policies := map[string]string{other + ".hcl": fixedPolicy(other, 1)}
	ofJobs := func(o *testenv.AutoscalerOptions) { o.Namespace = namespace }

	a := startAgent(t, policies, ofJobs)
	a.logs(t, "[ERROR]", "this policy is the scaling block of the job", *job.ID, "jobs may not scale NomadNodePools",
		`job_policies = \"true\" in the agent's target block`)
	eventually(t, other, "the policy in a file to scale", time.Minute, replicas(1))
	unmoved(t, asked, 0)
	a.checkSound(t)

	allowed := startAgent(t, policies, ofJobs, func(o *testenv.AutoscalerOptions) {
		o.PluginConfig = map[string]string{"job_policies": "true"}
	})
	eventually(t, asked, "the policy of the job to scale", time.Minute, replicas(1))
	allowed.checkSound(t)
	a.checkSound(t)
}
