package nomadtarget

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Keys of an action's Meta (Nomad Autoscaler: policy/check.go and sdk/strategy.go, where the second isn't exported).
const (
	metaPolicyID    = "nomad_policy_id"
	metaDryRunCount = "nomad_autoscaler.dry_run.count"
)

// maxManager is the longest field manager that the API server takes (Kubernetes: metav1 validation,
// FieldManagerMaxLength).
const maxManager = 128

// policyID is the ID of the policy that scales; empty: the action has none.
func policyID(action sdk.ScalingAction) string {
	id, ok := action.Meta[metaPolicyID].(string)
	if !ok {
		return ""
	}
	return strings.TrimSpace(id)
}

// fieldManager is the name under which the API server records a scaling: the autoscaler's name and the ID of the
// policy, which is also in the agent's log. The API server refuses what is too long or can't be printed.
func fieldManager(action sdk.ScalingAction) string {
	id := policyID(action)
	if id == "" {
		return v1alpha1.AutoscalerFieldManager
	}
	name := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, v1alpha1.AutoscalerFieldManager+"/"+id)
	if len(name) > maxManager {
		name = strings.ToValidUTF8(name[:maxManager], "")
	}
	return name
}

// oneLine is a strategy's reason as it is logged.
func oneLine(reason string) string { return strings.Join(strings.Fields(reason), " ") }

// dryRunCount is the count that a dry run would have set; ok is false if the action has none. Numbers in Meta cross
// gRPC as JSON and come out as float64.
func dryRunCount(action sdk.ScalingAction) (count int64, ok bool) {
	switch n := action.Meta[metaDryRunCount].(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), true
	case json.Number:
		count, err := n.Int64()
		return count, err == nil
	default:
		return 0, false
	}
}

// dryRun logs what would have been requested.
func (t *Target) dryRun(ref types.NamespacedName, action sdk.ScalingAction) {
	fields := []any{"pool", ref.String(), "policy", policyID(action), "reason", oneLine(action.Reason)}
	if count, ok := dryRunCount(action); ok {
		fields = append(fields, "would_be", count)
	}
	t.log.Info("dry run: the pool is left as it is", fields...)
}
