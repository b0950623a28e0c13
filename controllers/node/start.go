package node

import (
	"context"
	"time"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

const (
	// RunStrategyAnnotation is what a halted VM is started with. Harvester:
	// pkg/webhook/resources/virtualmachine/mutator.go.
	RunStrategyAnnotation = "harvesterhci.io/vmRunStrategy"
	// capacityRetry is how soon to try again to start a VM that its namespace's quota doesn't allow: quotas have no watch.
	capacityRetry = 15 * time.Second
)

// startVM starts a VM that Harvester has halted for its namespace's quota. While the quota is used up Harvester refuses
// the start, and nothing is written.
func (r *Reconciler) startVM(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	after, strategy := s.vm.DeepCopy(), kubevirtv1.RunStrategyAlways
	if kept := s.vm.Annotations[RunStrategyAnnotation]; kept != "" {
		strategy = kubevirtv1.VirtualMachineRunStrategy(kept)
	}
	after.Spec.RunStrategy = &strategy
	// A merge patch of this one key, of the VM that was observed.
	err := r.Client.Patch(ctx, after, kube.Locked(s.vm))
	if kube.Refusal(err) != nil {
		out.RetryAfter = capacityRetry
		return nil
	}
	if err != nil {
		return err
	}
	out.Started = true
	r.Events.vmStarted(s.node)
	return nil
}
