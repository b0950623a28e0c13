package nomadtarget

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad-autoscaler/sdk"
)

// keyJobPolicies is the key of the agent's target block that lets the scaling blocks of jobs scale pools.
const keyJobPolicies = "job_policies"

// allowsJobPolicies reads keyJobPolicies.
func allowsJobPolicies(config map[string]string) (bool, error) {
	given := strings.TrimSpace(config[keyJobPolicies])
	if given == "" {
		return false, nil
	}
	allowed, err := strconv.ParseBool(given)
	if err != nil {
		return false, fmt.Errorf("%s: %q is neither true nor false", keyJobPolicies, given)
	}
	return allowed, nil
}

// refuseJobPolicy is an error for a policy that is the scaling block of a job, unless the agent's configuration allows
// those. Otherwise everybody who may submit a job anywhere could set any pool to any size, by naming this target in it.
// The agent adds the keys to such policies; the author of the job can empty but not remove them (Nomad Autoscaler:
// policy/nomad/parser.go).
func (t *Target) refuseJobPolicy(config map[string]string) error {
	job, isJob := config[sdk.TargetConfigKeyJob]
	_, isGroup := config[sdk.TargetConfigKeyTaskGroup]
	if !isJob && !isGroup || t.jobPolicies.Load() {
		return nil
	}
	return fmt.Errorf(
		"this policy is the scaling block of the job %q, and jobs may not scale NomadNodePools: move it into a file "+
			"of the agent's policy dir, or allow it for all jobs by %s = \"true\" in the agent's target block",
		job,
		keyJobPolicies,
	)
}
