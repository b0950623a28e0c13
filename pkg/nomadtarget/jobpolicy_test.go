package nomadtarget

import (
	"maps"
	"strings"
	"testing"
)

// Otherwise everybody who may submit a job could empty every pool.
func TestJobsMayNotScalePools(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"a job's":          {"Namespace": "default", "Job": "api", "Group": "web"},
		"with empty keys":  {"Namespace": "", "Job": "", "Group": ""},
		"with Job alone":   {"Job": "EOF"},
		"with Group alone": {"Group": "web"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newAPIServer(t, complete(3))
			target, _ := newConfiguredTarget(t, server)
			policy := maps.Clone(workers)
			maps.Copy(policy, more)
			dry := to(0)
			dry.SetDryRun()
			status, statusErr := target.Status(policy)
			for call, err := range map[string]error{"Status": statusErr, "Scale": target.Scale(to(0), policy),
				"dry run": target.Scale(dry, policy)} {
				if err == nil || isNoOp(err) || harmful(err.Error()) ||
					!strings.Contains(err.Error(), "jobs may not scale NomadNodePools") ||
					!strings.Contains(err.Error(), `job_policies = "true"`) {
					t.Errorf("%s = %v; want a refusal that names the way out", call, err)
				}
			}
			if status != nil || len(server.writes()) > 0 {
				t.Errorf("status %v, writes %v", status, server.writes())
			}
			config := server.agentConfig()
			config[keyJobPolicies] = "true"
			if err := target.SetConfig(config); err != nil {
				t.Fatal(err)
			}
			if err := target.Scale(to(0), policy); err != nil || server.pool().DesiredReplicas() != 0 {
				t.Errorf("allowed, Scale = %v, and replicas are %d", err, server.pool().DesiredReplicas())
			}
			delete(config, keyJobPolicies)
			if err := target.SetConfig(config); err != nil {
				t.Fatal(err)
			}
			if err := target.Scale(to(1), policy); err == nil {
				t.Error("allowed after the key was taken out")
			}
		})
	}
}

func TestJobPoliciesIsABool(t *testing.T) {
	target, _ := newTestTarget(t)
	config := newAPIServer(t).agentConfig()
	config[keyJobPolicies] = "perhaps"
	if err := target.SetConfig(config); err == nil ||
		!strings.Contains(err.Error(), `job_policies: "perhaps" is neither true nor false`) {
		t.Errorf("SetConfig = %v", err)
	}
}
