package nomadtarget

import (
	"maps"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// For a policy that was written for another platform it is logged, key by key and once, what decides here; but not what
// the pool has too.
func TestPortedKeysAreRemarkedOn(t *testing.T) {
	ported := map[string]string{
		"node_drain_deadline": "1h", "node_drain_ignore_system_jobs": "true", "node_purge": "false",
		"node_selector_strategy": "empty_ignore_system",
	}
	fields := map[string]string{
		"node_drain_deadline":           "spec.scaleIn.drain.deadline",
		"node_drain_ignore_system_jobs": "spec.scaleIn.drain.ignoreSystemJobs",
		"node_purge":                    "spec.scaleIn.purge", "node_selector_strategy": "spec.scaleIn.strategy",
	}
	config := maps.Clone(workers)
	maps.Copy(config, ported)
	server := newAPIServer(t, complete(3))
	target, logs := newConfiguredTarget(t, server)
	for range 3 {
		mustStatus(t, target, config)
	}
	for key, field := range fields {
		if warnings := logs.lines(`"@level":"warn"`, key+" has no effect in a policy", field); len(warnings) != 1 {
			t.Errorf("%s is remarked on %d times, not once:\n%s", key, len(warnings), logs)
		}
	}

	agreeing := complete(3)
	agreeing.Spec.ScaleIn = v1alpha1.ScaleInSpec{Strategy: v1alpha1.EmptyIgnoreSystem, Purge: ptr.To(false)}
	agreeing.Spec.ScaleIn.Drain.Deadline.Duration, agreeing.Spec.ScaleIn.Drain.IgnoreSystemJobs = time.Hour, true
	if remarks := advice(config, agreeing); len(remarks) > 0 {
		t.Errorf("a pool that has the same earns %q", remarks)
	}
	for key := range ported {
		config[key] = "nonsense"
	}
	if remarks := advice(config, agreeing); len(remarks) != len(ported) {
		t.Errorf("nonsense earns %q", remarks)
	}
	if remarks := advice(map[string]string{"Namespace": "nomad-clients"}, agreeing); len(remarks) != 1 {
		t.Errorf("a namespace of Nomad's earns %q", remarks)
	}
}
