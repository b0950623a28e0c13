package hypervisor

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	virtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// migrating is true once virt-controller has made the pod on the other host and handed the instance over.
func migrating(instance *virtv1.VirtualMachineInstance) bool {
	s := instance.Status.MigrationState
	return s != nil && s.MigrationUID != "" && s.TargetNode != "" && s.TargetPod != "" && !s.Completed && !s.Failed
}

// migrate plays the virt-handlers of both hosts in a live migration, which takes no time here: the guest stays what
// it is, and belongs to the other host (KubeVirt: pkg/virt-handler/migration-target.go updateStatus,
// ackMigrationCompletion).
func (h *Hypervisor) migrate(ctx context.Context, instance *virtv1.VirtualMachineInstance, d *domain) error {
	instance = instance.DeepCopy()
	now, state := metav1.Now(), instance.Status.MigrationState
	state.TargetNodeAddress, state.TargetNodeDomainDetected, state.TargetNodeDomainReadyTimestamp = hostIP, true, &now
	state.StartTimestamp, state.EndTimestamp, state.Completed = &now, &now, true
	instance.Status.NodeName, instance.Status.EvacuationNodeName = state.TargetNode, ""
	instance.Labels[virtv1.NodeNameLabel] = state.TargetNode
	delete(instance.Labels, virtv1.MigrationTargetNodeNameLabel)
	pods, err := h.podsOf(ctx, instance)
	if err != nil {
		return err
	}
	d.moveTo(state.TargetNode, state.TargetPod, pods) // before its kubelet learns of the change
	if err := h.instances.Update(ctx, instance); err != nil {
		return client.IgnoreNotFound(ignoreConflict(err))
	}
	d.report(GuestMigrated, state.TargetNode)
	return nil
}

// moveTo gives the guest to a pod on another host. The instance's other pods have nothing in them any more.
func (d *domain) moveTo(host, pod string, pods []corev1.Pod) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.host = host
	d.left = map[string]bool{}
	for i := range pods {
		d.left[pods[i].Name] = pods[i].Name != pod
	}
}

// isOn tells whether the guest is on the host of a pod of its instance. During a migration it isn't on that of the
// target.
func (d *domain) isOn(pod *corev1.Pod) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.host == pod.Spec.NodeName
}

// hasLeft tells whether the guest was migrated away from a pod.
func (d *domain) hasLeft(pod *corev1.Pod) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left[pod.Name]
}

func (d *domain) hostName() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.host
}
