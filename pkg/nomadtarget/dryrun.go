package nomadtarget

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// reasonDryRun is the reason of the Event of a dry run.
const reasonDryRun = "DryRun"

// How many bytes an Event may have in these fields (Kubernetes: pkg/apis/core/validation, NoteLengthLimit and
// ReportingInstanceLengthLimit).
const (
	maxNote     = 1024
	maxInstance = 128
)

// dryRun logs what would have been requested, and leaves an Event on the pool if it may.
func (t *Target) dryRun(ref types.NamespacedName, action sdk.ScalingAction) {
	fields := []any{"pool", ref.String(), "policy", policyID(action), "reason", oneLine(action.Reason)}
	count, ok := dryRunCount(action)
	if ok {
		fields = append(fields, "would_be", count)
	}
	t.log.Info("dry run: the pool is left as it is", fields...)
	if c, err := t.currentClient(); ok && err == nil && t.reported.dryRun(ref, policyID(action), count, t.now()) {
		t.background.Go(func() { t.emitDryRun(c, ref, action, count) })
	}
}

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

// emitDryRun makes the Event. client-go's recorder doesn't: it counts an Event that differs in its text alone as one
// more of the first, whose number it would then show; and it logs each refusal.
func (t *Target) emitDryRun(c client.Client, ref types.NamespacedName, action sdk.ScalingAction, count int64) {
	var err error
	defer t.recoverAs(&err, "the Event of a dry run")
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	pool := &v1alpha1.NomadNodePool{}
	if err = c.Get(ctx, ref, pool); err == nil {
		err = c.Create(ctx, dryRunEvent(pool, action, count, metav1.NewMicroTime(t.now())))
	}
	if err == nil {
		return
	}
	t.reported.dryRunFailed(ref, policyID(action), count)
	if apierrors.IsForbidden(err) {
		if t.reported.firstTime(ref, reasonDryRun) {
			t.log.Debug("the dry run is told here alone: the account may not create Events in the pool's namespace, which "+
				"config/autoscaler/events_role_binding.yaml lets it", "pool", ref.String())
		}
		return
	}
	t.log.Debug("the dry run left no Event", "pool", ref.String(), "error", scrub(err))
}

// dryRunEvent is what an Event says of a dry run.
func dryRunEvent(pool *v1alpha1.NomadNodePool, action sdk.ScalingAction, count int64,
	now metav1.MicroTime) *eventsv1.Event {
	what := fmt.Sprintf("would set replicas %d -> %d", pool.DesiredReplicas(), count)
	if count == int64(pool.DesiredReplicas()) {
		what = fmt.Sprintf("would leave replicas at %d", count)
	}
	note := fmt.Sprintf("The Nomad Autoscaler's policy %s %s, but is a dry run", cmp.Or(policyID(action), "(no ID)"), what)
	if reason := oneLine(action.Reason); reason != "" {
		note += ": " + reason
	}
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pool.Namespace, GenerateName: pool.Name + "-dry-run-"},
		EventTime:  now,
		Regarding: corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "NomadNodePool",
			Namespace: pool.Namespace, Name: pool.Name, UID: pool.UID, ResourceVersion: pool.ResourceVersion},
		Type: corev1.EventTypeNormal, Reason: reasonDryRun, Action: "Scale", Note: clamp(note, maxNote),
		ReportingController: v1alpha1.AutoscalerFieldManager, ReportingInstance: instance(),
	}
}

// instance is which agent it is, of several.
func instance() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return clamp(v1alpha1.AutoscalerFieldManager+"-"+host, maxInstance)
}
