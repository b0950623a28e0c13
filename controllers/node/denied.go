package node

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Each event of a VM wakes its member, so admission is asked for it each deniedInterval at most. The longer the VM
// stays the less often it is asked: where hundreds go at once, the questions would take as much of the API server as
// all else.
const (
	deniedInterval     = 15 * time.Second
	mostDeniedInterval = 2 * time.Minute
)

// denial is what admission said last of a VM that is being deleted.
type denial struct {
	denied *nodestate.Blocked
	at     time.Time
}

// lasts is true while admission isn't asked again: for as long as the VM had been going when it was asked.
func (d denial) lasts(now, deletedAt time.Time) bool {
	age := now.Sub(d.at)
	return age >= 0 && age < min(max(d.at.Sub(deletedAt), deniedInterval), mostDeniedInterval)
}

// observeDenied sends a dry run of an empty patch to see if admission allows changes of a deleted VM whose guest is
// gone. The controllers that should remove their finalizers don't report that they can't.
func (r *Reconciler) observeDenied(ctx context.Context, s *scope) {
	if !member.DeletionDenied(s.observed) {
		return
	}
	name := client.ObjectKeyFromObject(s.node)
	if last, asked := r.denials.Get(name); asked && last.lasts(s.observed.Now, s.observed.VM.DeletingSince) {
		s.observed.VM.Denied = last.denied
		return
	}
	err := r.Client.Patch(ctx, s.vm.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{}`)), client.DryRunAll)
	denied := kube.Refusal(err)
	if err != nil && denied == nil { // no answer says nothing new
		last, _ := r.denials.Get(name)
		denied = last.denied
		log.FromContext(ctx).V(1).Info("can't tell why the deleted VM stays", "cause", err.Error())
	}
	s.observed.VM.Denied = denied
	r.denials.Put(name, denial{denied, s.observed.Now})
}

// haltVM halts a VM that is being deleted and whose guest is gone.
func (r *Reconciler) haltVM(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	after, halted := s.vm.DeepCopy(), kubevirtv1.RunStrategyHalted
	after.Spec.RunStrategy = &halted
	// Locked, because another VM may have the name by now.
	err := r.Client.Patch(ctx, after, kube.Locked(s.vm))
	if p := kube.Refusal(err); p != nil {
		out.HaltDenied, out.RetryAfter = p, haltRetry
		return nil
	}
	return client.IgnoreNotFound(err)
}
