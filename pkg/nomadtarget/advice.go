package nomadtarget

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad-autoscaler/sdk"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A movedKey is a key that policies for other target plugins have, and for which there is a field of the pool here.
type movedKey struct {
	key, field string
	// agrees reports if the pool's value is the same as the policy's.
	agrees func(given string, in v1alpha1.ScaleInSpec) bool
}

// movedKeys are the keys of the agent's built-in plugins (Nomad Autoscaler: sdk/target.go) and of older plugins for
// Harvester.
var movedKeys = []movedKey{
	{"cpu_request", "spec.template.cpu", never},
	{"memory_request", "spec.template.memory", never},
	{sdk.TargetConfigKeyDrainDeadline, "spec.scaleIn.drain.deadline", func(given string, in v1alpha1.ScaleInSpec) bool {
		d, err := time.ParseDuration(given)
		return err == nil && d == in.Drain.Deadline.Duration
	}},
	{
		sdk.TargetConfigKeyIgnoreSystemJobs,
		"spec.scaleIn.drain.ignoreSystemJobs",
		func(given string, in v1alpha1.ScaleInSpec) bool {
			b, err := strconv.ParseBool(given)
			return err == nil && b == in.Drain.IgnoreSystemJobs
		},
	},
	{sdk.TargetConfigKeyNodePurge, "spec.scaleIn.purge", func(given string, in v1alpha1.ScaleInSpec) bool {
		b, err := strconv.ParseBool(given)
		return err == nil && b == (in.Purge == nil || *in.Purge)
	}},
	{sdk.TargetConfigNodeSelectorStrategy, "spec.scaleIn.strategy", func(given string, in v1alpha1.ScaleInSpec) bool {
		return strings.EqualFold(strings.ReplaceAll(given, "_", ""), cmp.Or(string(in.Strategy), string(v1alpha1.LeastBusy)))
	}},
}

func never(string, v1alpha1.ScaleInSpec) bool { return false }

// advice returns remarks on a policy's target block that works all the same. pool is nil when it couldn't be read; then
// there are no remarks.
func advice(config map[string]string, pool *v1alpha1.NomadNodePool) []string {
	if pool == nil {
		return nil
	}
	var remarks []string
	for _, moved := range movedKeys {
		if given, ok := config[moved.key]; ok && !moved.agrees(strings.TrimSpace(given), pool.Spec.ScaleIn) {
			remarks = append(remarks,
				fmt.Sprintf("%s has no effect in a policy; the NomadNodePool decides, by %s", moved.key, moved.field))
		}
	}
	if _, ok := config[sdk.TargetConfigKeyNamespace]; ok && config[keyNamespace] == "" {
		remarks = append(
			remarks,
			fmt.Sprintf(
				"%s is the key for a namespace of Nomad; that of the NomadNodePool in Kubernetes is %s, which isn't set, so it is %q",
				sdk.TargetConfigKeyNamespace, keyNamespace, defaultNamespace),
		)
	}
	return append(remarks, measured(config, pool)...)
}

// measured returns remarks on keys that make nomad-apm measure other nodes than the members.
func measured(config map[string]string, pool *v1alpha1.NomadNodePool) []string {
	var remarks []string
	nomad := pool.Spec.Nomad
	for _, c := range []struct{ key, field, member string }{
		{keyNodeClass, "nodeClass", cmp.Or(nomad.NodeClass, pool.Name)},
		{keyNodePool, "nodePool", cmp.Or(nomad.NodePool, "default")},
		{keyDatacenter, "datacenter", cmp.Or(nomad.Datacenter, "dc1")},
	} {
		if v, ok := config[c.key]; ok && v != c.member {
			remarks = append(
				remarks,
				fmt.Sprintf(
					"%s: %q is not what the members of the NomadNodePool are (spec.nomad.%s: %q), so nomad-apm measures other nodes",
					c.key, v, c.field, c.member),
			)
		}
	}
	return remarks
}
