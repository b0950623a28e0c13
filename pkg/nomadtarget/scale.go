package nomadtarget

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// scaleAttempts is how often a change is tried when the pool is written to by others in between, usually by the
// controller to its status.
const scaleAttempts = 3

// maxCount is the most replicas that the API can express. What a pool allows is up to its maxReplicas.
const maxCount = 1<<31 - 1

// Scale implements target.Controller: it sets spec.replicas of the pool to action.Count and returns. The agent has no
// time limit for it, so it has its own.
//
// It returns a *sdk.TargetScalingNoOpError, which starts no cooldown, when there is nothing to do or the pool may not
// be scaled now. action.Direction is not looked at: with min and max in play it can say "down" for a count that is
// higher (Nomad Autoscaler: sdk/strategy.go, CapCount). A count of -1 is a dry run.
func (t *Target) Scale(action sdk.ScalingAction, config map[string]string) (err error) {
	defer func() { err = scrub(err) }()
	defer t.recoverAs(&err, "Scale")

	ref, err := poolOf(config)
	if err != nil {
		return err
	}
	if err := t.refuseJobPolicy(config); err != nil {
		return err
	}
	if action.Count == sdk.StrategyActionMetaValueDryRunCount {
		t.dryRun(ref, action)
		return nil
	}
	c, err := t.currentClient()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()

	if action.Count < 0 || action.Count > maxCount {
		return fmt.Errorf("NomadNodePool %s: %d is not a number of replicas; check the strategy of the policy", ref,
			action.Count)
	}
	return t.setReplicas(ctx, c, ref, action)
}

// setReplicas writes replicas to the pool as Status has shown it to the agent, or as it is read now: a decision made on
// a number of replicas that somebody has changed since is never applied.
func (t *Target) setReplicas(ctx context.Context, c client.Client, ref types.NamespacedName,
	action sdk.ScalingAction) error {
	replicas := int32(action.Count)
	var decidedOn *int32
	pool := t.seen.take(ref)
	for attempt := 1; ; attempt++ {
		if pool == nil {
			pool = &v1alpha1.NomadNodePool{}
			if err := c.Get(ctx, ref, pool); err != nil {
				return fmt.Errorf("read NomadNodePool %s: %w", ref, err)
			}
		}
		from := pool.DesiredReplicas()
		if decidedOn != nil && *decidedOn != from && from != replicas {
			return sdk.NewTargetScalingNoOpError(
				"NomadNodePool %s: somebody else changed its replicas from %d to %d meanwhile; the next evaluation decides anew",
				ref, *decidedOn, from)
		}
		decidedOn = &from
		if err := allowed(pool, replicas); err != nil {
			return err
		}
		err := setScale(ctx, c, pool, replicas, fieldManager(action))
		if err == nil {
			t.log.Info("scaled", "pool", ref.String(), "from", from, "to", replicas, "policy", policyID(action), "reason",
				oneLine(action.Reason))
			t.noteRival(ref, policyID(action))
			return nil
		}
		if !apierrors.IsConflict(err) || attempt == scaleAttempts {
			return fmt.Errorf("set NomadNodePool %s to %d replicas: %w", ref, replicas, err)
		}
		pool = nil
	}
}

// noteRival warns when two policies scale one pool in turn: each undoes what the other does.
func (t *Target) noteRival(ref types.NamespacedName, policy string) {
	rival := t.reported.scaledBy(ref, policy, t.now())
	if rival == "" {
		return
	}
	pair := []string{rival, policy}
	slices.Sort(pair)
	if t.reported.firstTime(ref, "rivals "+strings.Join(pair, " ")) {
		t.log.Warn(
			"two policies scale one pool, and each may undo what the other does; make them one policy with several checks",
			"pool", ref.String(), "policies", pair)
	}
}

// allowed returns why the pool can't be set to replicas now; nil: it can.
func allowed(pool *v1alpha1.NomadNodePool, replicas int32) error {
	ref := client.ObjectKeyFromObject(pool)
	from := pool.DesiredReplicas()
	switch {
	case replicas == from:
		return sdk.NewTargetScalingNoOpError("NomadNodePool %s is at %d replicas already", ref, from)
	case !pool.DeletionTimestamp.IsZero():
		return sdk.NewTargetScalingNoOpError("NomadNodePool %s is being deleted", ref)
	case pool.Spec.Paused:
		return sdk.NewTargetScalingNoOpError("NomadNodePool %s is paused (spec.paused)", ref)
	}
	// The API server refuses this as well; found here, it costs no write at every evaluation.
	if least := pool.Spec.MinReplicas; least != nil && replicas < *least {
		return fmt.Errorf(
			"NomadNodePool %s: %d replicas is less than its spec.minReplicas %d; raise min of the policy or lower minReplicas",
			ref, replicas, *least)
	}
	if most := pool.Spec.MaxReplicas; most != nil && replicas > *most {
		return fmt.Errorf(
			"NomadNodePool %s: %d replicas is more than its spec.maxReplicas %d; lower max of the policy or raise maxReplicas",
			ref, replicas, *most)
	}
	if v := judge(pool); v.reason == reasonCreationBlocked && replicas > from {
		return sdk.NewTargetScalingNoOpError("NomadNodePool %s can't grow to %d: %s", ref, replicas, v.message)
	}
	return nil
}

// setScale sets the number through the scale subresource, if nobody wrote to the pool since it was read. The API server
// records manager as the one who set it, except for a 0, which it takes for a missing field (Kubernetes: autoscaling/v1
// Scale omits it), and custom resources' scales can't be applied (apiextensions-apiserver: a Scale isn't converted).
func setScale(ctx context.Context, c client.Client, pool *v1alpha1.NomadNodePool, replicas int32,
	manager string) error {
	data, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": pool.ResourceVersion},
		"spec":     map[string]any{"replicas": replicas},
	})
	if err != nil {
		return fmt.Errorf("encode the scale patch: %w", err)
	}
	return c.SubResource("scale").Patch(ctx, pool, client.RawPatch(types.MergePatchType, data),
		client.WithSubResourceBody(&autoscalingv1.Scale{}), client.FieldOwner(manager))
}
