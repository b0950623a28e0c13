package hypervisor

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	virtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// waitInterval is how often something is looked at again that isn't watched.
const waitInterval = 250 * time.Millisecond

// watchPods serves all pods of the cluster: virt-launcher's, whose end is the guest's, and any others.
func (h *Hypervisor) watchPods(manager ctrl.Manager) error {
	podsOf := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, instance client.Object) []reconcile.Request {
		pods, err := h.podsOf(ctx, instance)
		if err != nil {
			h.options.Log.Error(err, "list pods of instance", "instance", client.ObjectKeyFromObject(instance))
		}
		var requests []reconcile.Request
		for i := range pods {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pods[i])})
		}
		return requests
	})
	return ctrl.NewControllerManagedBy(manager).Named("kubelet").For(&corev1.Pod{}).
		Watches(&virtv1.VirtualMachineInstance{}, podsOf).Complete(reconcile.Func(h.reconcilePod))
}

func (h *Hypervisor) podsOf(ctx context.Context, instance client.Object) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := h.List(ctx, &pods, client.InNamespace(instance.GetNamespace()),
		client.MatchingLabels{virtv1.CreatedByLabel: string(instance.GetUID())})
	return pods.Items, err
}

func (h *Hypervisor) reconcilePod(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var pod corev1.Pod
	if err := h.Get(ctx, request.NamespacedName, &pod); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if pod.Spec.NodeName == "" {
		return h.bind(ctx, &pod)
	}
	if !h.hosts.lives(pod.Spec.NodeName) {
		return ctrl.Result{}, nil // nobody there to do anything
	}
	domain := h.domains.get(types.UID(pod.Labels[virtv1.CreatedByLabel]))
	switch {
	case pod.DeletionTimestamp != nil:
		return h.terminate(ctx, &pod, domain)
	case pod.Status.Phase == corev1.PodRunning && domain != nil && (domain.isOff() || domain.hasLeft(&pod)):
		finishPod(&pod, domain.hasFailed())
		return ctrl.Result{}, ignoreConflict(h.Status().Update(ctx, &pod))
	case pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "":
		return h.runPod(ctx, &pod)
	}
	return ctrl.Result{}, nil
}

// bind is the scheduler.
func (h *Hypervisor) bind(ctx context.Context, pod *corev1.Pod) (ctrl.Result, error) {
	if pod.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	if reason, err := h.claimsMissing(ctx, pod); reason != "" || err != nil {
		return h.unschedulable(ctx, pod, reason, err)
	}
	if h.faults.lacksCapacity(vmOf(pod)) {
		// The scheduler's words (Kubernetes: pkg/scheduler/framework/types.go FitError.Error).
		return h.unschedulable(ctx, pod,
			fmt.Sprintf("0/%[1]d nodes are available: %[1]d Insufficient memory.", h.options.Hosts), nil)
	}
	host, err := h.schedule(ctx, pod)
	if err != nil || host == "" {
		return h.unschedulable(ctx, pod, "0 nodes are available", err)
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
		Target:     corev1.ObjectReference{Kind: "Node", Name: host},
	}
	err = h.SubResource("binding").Create(ctx, pod, binding)
	return ctrl.Result{}, client.IgnoreNotFound(ignoreConflict(err))
}

// vmOf is the VM that a virt-launcher pod is for; without a name for any other pod.
func vmOf(pod *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Annotations[virtv1.DomainAnnotation]}
}

// unschedulable says so as the scheduler does, which KubeVirt passes on to the VM's status.
func (h *Hypervisor) unschedulable(ctx context.Context, pod *corev1.Pod, reason string,
	err error) (ctrl.Result, error) {
	if err != nil {
		return ctrl.Result{}, err
	}
	if setCondition(pod, corev1.PodScheduled, corev1.ConditionFalse, corev1.PodReasonUnschedulable, reason) {
		if err := ignoreConflict(h.Status().Update(ctx, pod)); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
	}
	return ctrl.Result{RequeueAfter: waitInterval}, nil
}

// claimsMissing names the first claim that the pod couldn't be scheduled with, empty if all are bound.
func (h *Hypervisor) claimsMissing(ctx context.Context, pod *corev1.Pod) (string, error) {
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		var claim corev1.PersistentVolumeClaim
		err := h.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: volume.PersistentVolumeClaim.ClaimName}, &claim)
		switch {
		case apierrors.IsNotFound(err):
			return fmt.Sprintf("persistentvolumeclaim %q not found", volume.PersistentVolumeClaim.ClaimName), nil
		case err != nil:
			return "", err
		case claim.Status.Phase != corev1.ClaimBound:
			return "pod has unbound immediate PersistentVolumeClaims", nil
		}
	}
	return "", nil
}

// runPod is the kubelet of a pod that was bound to it. Like it, it waits for Secrets for ever.
func (h *Hypervisor) runPod(ctx context.Context, pod *corev1.Pod) (ctrl.Result, error) {
	for _, volume := range pod.Spec.Volumes {
		if volume.Secret == nil || ptr.Deref(volume.Secret.Optional, false) {
			continue
		}
		err := h.direct.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: volume.Secret.SecretName}, &corev1.Secret{})
		if apierrors.IsNotFound(err) {
			return ctrl.Result{RequeueAfter: waitInterval}, nil
		}
		if err != nil {
			return ctrl.Result{}, err
		}
	}
	startPod(pod, h.domains.nextIP())
	return ctrl.Result{}, client.IgnoreNotFound(ignoreConflict(h.Status().Update(ctx, pod)))
}

// terminate passes the end of a virt-launcher pod on to its guest, and lets the pod go after it.
func (h *Hypervisor) terminate(ctx context.Context, pod *corev1.Pod, d *domain) (ctrl.Result, error) {
	if d != nil && !d.isOff() && d.isOn(pod) {
		h.powerDown(d, ptr.Deref(pod.DeletionGracePeriodSeconds, 0))
		return ctrl.Result{RequeueAfter: waitInterval}, nil
	}
	err := h.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	return ctrl.Result{}, client.IgnoreNotFound(ignoreConflict(err))
}

// ignoreConflict drops the error of a write based on an old read: the newer state is on its way to us.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
