package node

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// observeHold asks admission, by a change that changes nothing, if a deleted VM that has outlived its guest may be
// changed: those who should take their finalizers off tell nobody that they can't.
func (r *Reconciler) observeHold(ctx context.Context, s *scope) {
	if !member.DeletionDenied(s.observed) {
		return
	}
	err := r.Client.Patch(ctx, s.vm.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{}`)), client.DryRunAll)
	s.observed.VM.Denied = kube.Refusal(err)
	if err != nil && s.observed.VM.Denied == nil {
		log.FromContext(ctx).V(1).Info("can't tell what holds the VM", "cause", err.Error())
	}
}

// haltVM halts a VM that is being deleted and whose guest is gone.
func (r *Reconciler) haltVM(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	after, halted := s.vm.DeepCopy(), kubevirtv1.RunStrategyHalted
	after.Spec.RunStrategy = &halted
	// Nobody else's VM that has got the name since.
	err := r.Client.Patch(ctx, after, kube.Locked(s.vm))
	if p := kube.Refusal(err); p != nil {
		out.HaltDenied, out.RetryAfter = p, holdRetry
		return nil
	}
	return client.IgnoreNotFound(err)
}
