package nomadtarget

import (
	"context"
	"errors"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Status implements target.Controller with one read of the pool. Count is spec.replicas, what is wanted: the strategies
// calculate from it, and the number of running VMs would let them ask twice for what is already on its way. Ready is
// the verdict of judge.
//
// An error is returned for a policy that has to be edited, and for nothing else: the agent drops a policy whose first
// Status fails. When Kubernetes doesn't answer, or the pool isn't there, the target is just not ready. The result is
// never nil without an error; that would kill the plugin.
//
// No nomad_autoscaler.last_event is published in Meta: v0.5.0 ignores it as a cooldown, and its timer can let two Scale
// calls run at once (Nomad Autoscaler: policy/handler.go). scaleIn.stabilizationWindow of the pool is the cooldown that
// outlives a restart.
func (t *Target) Status(config map[string]string) (status *sdk.TargetStatus, err error) {
	defer func() { err = scrub(err) }()
	var ref types.NamespacedName
	defer func() {
		if r := recover(); r != nil {
			t.logPanic("Status", r)
			status, err = &sdk.TargetStatus{Count: t.reported.lastCount(ref)}, nil
		}
	}()
	if ref, err = poolOf(config); err != nil {
		return nil, err
	}
	if err := t.refuseJobPolicy(config); err != nil {
		return nil, err
	}
	c, err := t.currentClient()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout(config))
	defer cancel()

	pool := &v1alpha1.NomadNodePool{}
	if err := c.Get(ctx, ref, pool); err != nil {
		t.seen.take(ref) // what was seen before may have changed
		t.advise(ref, advice(config, nil))
		return t.statusOfUnreadable(ref, err), nil
	}
	t.advise(ref, advice(config, pool))
	status = t.statusOfPool(ref, pool)
	t.seen.put(ref, pool)
	return status, nil
}

// statusOfPool is the status of a pool that was read.
func (t *Target) statusOfPool(ref types.NamespacedName, pool *v1alpha1.NomadNodePool) *sdk.TargetStatus {
	v := judge(pool)
	count := int64(pool.DesiredReplicas())
	t.reported.counted(ref, count)
	// The agent itself logs a target that isn't ready at DEBUG only.
	if t.reported.changed(ref, v.reason) {
		log := t.log.Info
		if v.reason == reasonCreationBlocked {
			log = t.log.Warn
		}
		log("pool is "+readyWord(v.ready), "pool", ref.String(), "ready", v.ready, "reason", v.reason, "message", v.message,
			"replicas", count)
	}
	return &sdk.TargetStatus{Ready: v.ready, Count: count}
}

// statusOfUnreadable is the status of a pool that could not be read.
func (t *Target) statusOfUnreadable(ref types.NamespacedName, err error) *sdk.TargetStatus {
	reason, remedy := diagnose(err)
	if t.reported.changed(ref, reason) {
		t.log.Warn("pool is not ready to be scaled: it can't be read", "pool", ref.String(), "ready", false, "reason", reason,
			"namespace", ref.Namespace, "name", ref.Name, "remedy", remedy, "error", scrub(err))
	}
	return &sdk.TargetStatus{Ready: false, Count: t.reported.lastCount(ref)}
}

func (t *Target) advise(ref types.NamespacedName, remarks []string) {
	for _, remark := range remarks {
		if t.reported.firstTime(ref, remark) {
			t.log.Warn("the policy's target block: "+remark, "pool", ref.String())
		}
	}
}

func readyWord(ready bool) string {
	if ready {
		return "ready to be scaled"
	}
	return "not ready to be scaled"
}

// diagnose returns a reason for a failed read, which stays the same while the fault does (the texts of network errors
// hold port numbers), and what to do about it.
func diagnose(err error) (reason, remedy string) {
	switch {
	case apierrors.IsNotFound(err):
		return "NotFound",
			"create the NomadNodePool, or correct node_pool_name and namespace in the policy; \"kubectl get nnp -A\" lists all"
	case apierrors.IsUnauthorized(err):
		return "Unauthorized",
			"renew the token or the kubeconfig's credentials, then restart the agent; what auth_token_file names is read again within a minute, and a reload (SIGHUP) does for what is in the agent's configuration file, not for its environment"
	case apierrors.IsForbidden(err):
		return "Forbidden",
			"bind the ClusterRole nomad-harvester-autoscaler to the autoscaler's service account, by a RoleBinding in the pool's namespace (config/autoscaler/role_binding.yaml)"
	case apierrors.IsTooManyRequests(err):
		return "TooManyRequests", "none needed unless it lasts: the API server is busy"
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return "Timeout", "none needed unless it lasts: the API server answers slowly or not at all"
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return "ServerError", "none needed unless it lasts: the API server answers with an error"
	}
	return "Unreachable", "check that the API server can be reached from the autoscaler, and its certificate"
}
