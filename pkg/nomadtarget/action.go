package nomadtarget

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/nomad-autoscaler/sdk"

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
	return clamp(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, v1alpha1.AutoscalerFieldManager+"/"+id), maxManager)
}

// clamp shortens text to limit bytes of valid UTF-8.
func clamp(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "")
}

// oneLine is a strategy's reason as it is logged.
func oneLine(reason string) string { return strings.Join(strings.Fields(reason), " ") }
