package nomadtarget

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Keys of an action's Meta (Nomad Autoscaler: policy/check.go and sdk/strategy.go, where the second isn't exported).
const (
	metaPolicyID    = "nomad_policy_id"
	metaDryRunCount = "nomad_autoscaler.dry_run.count"
)

// maxReason bounds what is kept of a strategy's explanation, in bytes.
const maxReason = 512

// scaleReason is the value of the scale-reason annotation. It begins with the count that it explains, so that it isn't
// taken for the reason of a later change by somebody else.
func scaleReason(action sdk.ScalingAction) string {
	by := "the Nomad Autoscaler"
	if id, ok := action.Meta[metaPolicyID].(string); ok && id != "" {
		by += " policy " + id
	}
	text := fmt.Sprintf("%d replicas asked for by %s", action.Count, by)
	if why := strings.Join(strings.Fields(action.Reason), " "); why != "" {
		text += ": " + why
	}
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}

// dryRunCount is the count that a dry run would have set; ok is false if the action doesn't say. Numbers in Meta cross
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

// dryRun shows what would have been asked for: in the log, and as an annotation of the pool if that can be written.
func (t *Target) dryRun(ctx context.Context, c client.Client, ref types.NamespacedName, action sdk.ScalingAction) {
	count, ok := dryRunCount(action)
	if !ok {
		t.log.Info("dry run: the pool is left as it is", "pool", ref.String(), "reason", action.Reason)
		return
	}
	t.log.Info("dry run: the pool is left as it is", "pool", ref.String(), "would_be", count, "reason", action.Reason)
	pool := &v1alpha1.NomadNodePool{}
	err := c.Get(ctx, ref, pool)
	if err == nil {
		err = annotate(ctx, c, pool, v1alpha1.DryRunAnnotation, strconv.FormatInt(count, 10))
	}
	if err != nil {
		t.log.Warn("the result of the dry run could not be noted on the pool", "pool", ref.String(), "error", scrub(err))
	}
}
